# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def promise(
    name: str, ok: bool, expected: str, found: str, advice: str = "", applies: bool = True
) -> dict[str, Any]:
    """One thing that a running cluster promises, as plain data that travels between modules.

    A promise that does not apply (or can't be checked there) is kept with ok: its `found`
    says why, and the table shows it apart.
    """
    return {
        "name": name,
        "ok": ok,
        "expected": expected,
        "found": found,
        "advice": "" if ok else advice,
        "applies": applies,
    }


def not_applicable(name: str, expected: str, why: str) -> dict[str, Any]:
    return promise(name, True, expected, why, applies=False)


def from_problems(
    name: str, expected: str, fine: str, problems: Sequence[str], advice: str
) -> dict[str, Any]:
    """A promise that holds if nobody found a problem; at most five are spelled out."""
    if not problems:
        return promise(name, True, expected, fine)
    more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
    return promise(name, False, expected, "; ".join(problems[:5]) + more, advice)


def failures(promises: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line for each promise that failed: what was expected, what was found, what to do."""
    return [
        f"promise failed: {item['name']}: expected {item['expected']}; found {item['found']}"
        + (f"; {item['advice']}" if item["advice"] else "")
        for item in promises
        if not item["ok"]
    ]


def table(promises: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each promise, aligned."""
    width = max((len(item["name"]) for item in promises), default=0)
    return [f"{_mark(item):<6} {item['name']:<{width}}  {item['found']}" for item in promises]


def _mark(item: Mapping[str, Any]) -> str:
    if not item["ok"]:
        return "FAILED"
    return "ok" if item["applies"] else "–"
