# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the results of tasks to what they change, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import object_key

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Whose task it is."""

    host: str
    role: str
    task: str


@dataclass(frozen=True)
class Change:
    """One thing that changes. Before and after are texts or values, where they are known."""

    place: Place
    what: str
    why: str
    known: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {"what": self.what, "why": self.why, **self.known}


class Collected:
    """The changes of a run, in the order in which their tasks ended.

    A result that changes something says what and why in `changes`, a list of {what, why}. One that
    changes nothing announces with the same list what a later task of its role will apply: modules
    that apply objects don't know why they do, the ones that planned it do.
    """

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.without_reason: list[Place] = []
        self._announced: dict[tuple[str, str, str], list[Change]] = {}

    def add(self, place: Place, result: Result) -> None:
        told = _told(place, result)
        if result.get("changed"):
            if not told:
                told, unexplained = self._applied(place, result)
                if unexplained:
                    self.without_reason.append(place)
            self.changes += told
            return
        for change in told:
            self._announced.setdefault(_key(place, change.what), []).append(change)

    def _applied(self, place: Place, result: Result) -> tuple[list[Change], bool]:
        """The announced changes that a result has made, and whether it made others too."""
        found, unexplained = [], False
        keys = _changed_objects(result)
        for key in keys:
            announced = self._announced.get(_key(place, key))
            if announced:
                found.append(announced.pop(0))
            else:
                unexplained = True
        return found, unexplained or not keys


def _key(place: Place, what: str) -> tuple[str, str, str]:
    return place.host, place.role, what


def _told(place: Place, result: Result) -> list[Change]:
    listed = result.get("changes")
    if not isinstance(listed, list):
        return []
    told = [item for item in listed if isinstance(item, Mapping) and item.get("why")]
    shown = _diffs(result.get("diff"), len(told)) if len(told) == len(listed) else [{}] * len(told)
    return [
        Change(place, str(item.get("what")), str(item["why"]), {**diff, **_known(item)})
        for item, diff in zip(told, shown)
    ]


def _diffs(diff: Any, count: int) -> Sequence[Mapping[str, Any]]:
    """What was there before and is after, of each change, where there is a diff for each."""
    entries = diff if isinstance(diff, list) else [diff]
    if len(entries) != count or not all(isinstance(entry, Mapping) for entry in entries):
        return [{}] * count
    return [_known(entry) if entry.get("before") != entry.get("after") else {} for entry in entries]


def _known(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item[key] for key in ("before", "after") if key in item}


def _changed_objects(result: Result) -> list[str]:
    """The keys of the objects that a result of kubernetes.core.k8s has changed."""
    given = (result.get("invocation") or {}).get("module_args", {}).get("resource_definition")
    objects = given if isinstance(given, list) else [given]
    applied = (result.get("result") or {}).get("results", [result])
    if len(objects) != len(applied):
        return []
    return [
        object_key(item)
        for item, outcome in zip(objects, applied)
        if outcome.get("changed") and isinstance(item, Mapping) and "metadata" in item
    ]
