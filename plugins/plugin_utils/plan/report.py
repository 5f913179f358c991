# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan for machines, as a JSON document, and for people, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.roost.cluster.plugins.plugin_utils.plan.changes import (
    Change,
    Collected,
    Place,
)

VERSION = 1
# So many changes for one reason are told in one line.
_ALIKE = 4


@dataclass
class Run:
    """What is known of a run."""

    check_mode: bool
    cluster: str | None = None
    collected: Collected = field(default_factory=Collected)
    notes: list[tuple[Place, str]] = field(default_factory=list)
    unknown: list[tuple[Place, str]] = field(default_factory=list)
    failed: list[tuple[Place, str]] = field(default_factory=list)
    ended: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing is missing: the run has ended, all was looked at and nothing failed."""
        return self.ended and not self.failed and not self.unknown


def document(run: Run) -> dict[str, Any]:
    """The plan for machines; docs/plan.md describes it."""
    changes = run.collected.changes
    hosts: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for change in changes:
        roles = hosts.setdefault(change.place.host, {})
        roles.setdefault(change.place.role, []).append(change.as_dict())
    return {
        "version": VERSION,
        "cluster": run.cluster,
        "check_mode": run.check_mode,
        "complete": run.complete,
        "summary": {
            "changes": len(changes),
            "hosts": {host: sum(map(len, roles.values())) for host, roles in hosts.items()},
        },
        "hosts": hosts,
        "without_reason": [_placed(place) for place in run.collected.without_reason],
        "notes": [{**_placed(place), "note": text} for place, text in run.notes],
        "unknown": [{**_placed(place), "message": text} for place, text in run.unknown],
        "failed": [{**_placed(place), "message": text} for place, text in run.failed],
    }


def _placed(place: Place) -> dict[str, str]:
    return {"host": place.host, "role": place.role, "task": place.task}


def lines(run: Run) -> list[str]:
    """The plan for people, by host and role."""
    told = [f"plan: {_heading(run)}"]
    for host, roles in _grouped(run.collected.changes).items():
        told.append(f"  {host}")
        for role, changes in roles.items():
            told.append(f"    {role}")
            told += [f"      {line}" for line in _change_lines(changes)]
    for place in run.collected.without_reason:
        told.append(f"  {place.host}, {place.role}: {place.task}: it gives no reason")
    told += [f"  not known: {place.host}, {place.role}: {text}" for place, text in run.unknown]
    told += [f"  note: {place.host}, {place.role}: {text}" for place, text in run.notes]
    return told


def _heading(run: Run) -> str:
    count = len(run.collected.changes)
    hosts = {change.place.host for change in run.collected.changes}
    what = f"{_counted(count, 'change')} on {_counted(len(hosts), 'host')}"
    if not run.complete:
        why = "something failed" if run.failed else "something could not be looked at"
        return f"{what if count else 'no change'} so far; not complete, for {why}"
    return what if count or run.collected.without_reason else "nothing would change"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _grouped(changes: Sequence[Change]) -> Mapping[str, Mapping[str, list[Change]]]:
    hosts: dict[str, dict[str, list[Change]]] = {}
    for change in changes:
        hosts.setdefault(change.place.host, {}).setdefault(change.place.role, []).append(change)
    return hosts


def _change_lines(changes: Sequence[Change]) -> Iterator[str]:
    """One line for each change, but one for all that have the same reason."""
    alike: dict[str, list[Change]] = {}
    for change in changes:
        alike.setdefault(change.why, []).append(change)
    for why, group in alike.items():
        if len(group) >= _ALIKE:
            yield f"{why} ({len(group)}): {', '.join(change.what for change in group)}"
        else:
            yield from (f"{change.what}: {why}" for change in group)
