# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.verify.promise import (
    failures,
    promise,
    table,
)

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Report:
    promises: list[dict[str, Any]]
    lines: list[str]

    @property
    def failures(self) -> list[str]:
        return failures(self.promises)


def report(nodes: Mapping[str, Result], checks: Mapping[str, Result]) -> Report:
    """One table of all promises, then what the checks measured.

    `nodes` holds the results of a check that ran on each node, `checks` those of checks that ran
    once. A check that gave no promises has broken one: a result that is missing is no success.
    """
    promises = _per_node(nodes)
    details: list[str] = []
    for title, result in checks.items():
        promises += _promises(title, result)
        details += [str(line) for line in result.get("lines", [])]
    return Report(promises, table(promises) + ([""] + details if details else []))


def _per_node(nodes: Mapping[str, Result]) -> list[dict[str, Any]]:
    """Promises that hold on every node share a line; one that fails names its node."""
    held: dict[str, tuple[dict[str, Any], list[str]]] = {}
    failed = []
    for node, result in nodes.items():
        for item in _promises("pull check", result):
            if item["ok"]:
                held.setdefault(item["name"], (item, []))[1].append(node)
            else:
                failed.append({**item, "name": f"{item['name']} on {node}"})
    merged = [
        {**item, "found": f"{item['found']} (on {', '.join(names)})"}
        for item, names in held.values()
    ]
    return merged + failed


def _promises(title: str, result: Result) -> list[dict[str, Any]]:
    if result.get("skipped"):
        return []
    promises = result.get("promises")
    if promises:
        return list(promises)
    why = str(result.get("msg") or "it did not run").strip().splitlines()[-1]
    return [promise(f"{title} ran", False, "a result", why, "see the output of that task")]
