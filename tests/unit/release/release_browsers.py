# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Browsers before a gateway that goes by the rules of a route, with the draws made by a test."""

from __future__ import annotations

import random
import re
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release import names, routing
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context

Rule = dict[str, Any]


def rules(release: Release) -> list[Rule]:
    found: list[Rule] = routing.entry_route(release, Context())["spec"]["http"]
    return found


def first(found: Release | list[Rule], headers: dict[str, str], method: str = "GET") -> Rule:
    """The rule that holds for a request."""
    candidates = found if isinstance(found, list) else rules(found)
    asked = {**headers, ":method": method}
    return next(rule for rule in candidates if _matches(rule, asked))


def _matches(rule: Rule, asked: dict[str, str]) -> bool:
    return any(
        all(_meets(wanted, asked.get(name)) for name, wanted in _wanted(match).items())
        for match in rule.get("match", [{}])
    )


def _wanted(match: Rule) -> Rule:
    method = {":method": match["method"]} if "method" in match else {}
    return {**match.get("headers", {}), **method}


def _meets(wanted: Rule, value: str | None) -> bool:
    if value is None:
        return False
    if "regex" in wanted:
        return re.fullmatch(wanted["regex"], value) is not None
    return bool(wanted["exact"] == value)


def shares(rule: Rule) -> dict[str, float]:
    """Subset → probability."""
    parts = {item["destination"]["subset"]: item.get("weight", 100) for item in rule["route"]}
    return {subset: part / sum(parts.values()) for subset, part in parts.items()}


class Browser:
    """Keeps the cookie that it gets, among those of the application."""

    def __init__(self, chance: random.Random, others: str = "") -> None:
        self._chance, self._others = chance, others
        self._name = names.cookie_name("digits")
        self.cookie: str | None = None

    def ask(self, found: list[Rule]) -> str:
        """The version that answers."""
        mine = f"{self._name}={self.cookie}" if self.cookie else ""
        sent = "; ".join(text for text in (self._others, mine) if text)
        rule = first(found, {"cookie": sent} if sent else {})
        weights = [item.get("weight", 100) for item in rule["route"]]
        (chosen,) = self._chance.choices(rule["route"], weights)
        added = chosen.get("headers", {}).get("response", {}).get("add", {}).get("set-cookie")
        if added:
            text, *attributes = added.split("; ")
            name, _, value = text.partition("=")
            assert name == self._name
            assert {"Path=/", "HttpOnly", "SameSite=Lax"} <= set(attributes)
            self.cookie = None if "Max-Age=0" in attributes else value
        return str(chosen["destination"]["subset"])
