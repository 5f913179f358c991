# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible_collections.roost.cluster.plugins.module_utils.api import differences
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, object_key
from ansible_collections.roost.cluster.plugins.module_utils.release.expect import Wait
from ansible_collections.roost.cluster.plugins.module_utils.release.names import RECORD_WORDING
from ansible_collections.roost.cluster.plugins.module_utils.release.stages import Stage

# These hold together or not at all; in the others each part stands for itself.
_INDIVISIBLE = ("weights", "pins", "idle")


@dataclass(frozen=True)
class Step:
    """A stage with what really has to be done in it."""

    stage: Stage
    changes: list[Change] = field(default_factory=list)
    # What certificate has to be made first, if any; see `gateway_certificate`.
    certificate: dict[str, Any] = field(default_factory=dict)


# Compares an object with the live one: None if applying it would change nothing.
Compare = Callable[[Block], Optional[Change]]


def candidates(stages: Iterable[Stage]) -> dict[str, Block]:
    """Every distinct content that some stage would apply, by its fingerprint."""
    return {
        fingerprint(item): item
        for stage in stages
        if stage.state == "present"
        for item in stage.objects
    }


def fingerprint(item: Block) -> str:
    return f"{object_key(item)} {json.dumps(item, sort_keys=True)}"


def settle(stages: Iterable[Stage], compare: Compare, steady: Wait) -> list[Step]:
    """The stages in which something has to be done, with what has to hold before each.

    A stage that has nothing to do is left out, together with what it would have awaited. Where a
    later stage relies on that (a run was killed while pods started, say), a step without objects
    takes its place and only waits. The last step awaits the steady state too.
    """
    steps: list[Step] = []
    applied: dict[str, Block] = {}
    awaited: Wait = {}
    for stage in stages:
        found = [_change(stage, item, applied, compare) for item in stage.objects]
        changes = [change for change in found if change is not None]
        if not changes:
            continue
        lacking = _minus(stage.before, awaited)
        if lacking:
            steps.append(Step(_gate(stage, lacking)))
            awaited = _plus(awaited, lacking)
        touched = {change.item for change in changes}
        items = [item for item in stage.objects if object_key(item) in touched]
        applied |= {object_key(item): item for item in items}
        awaited = _plus(awaited, stage.wait)
        steps.append(Step(replace(stage, objects=items), changes))
    if steps:
        last = steps[-1]
        wait = _plus(last.stage.wait, steady)
        steps[-1] = replace(last, stage=replace(last.stage, wait=wait))
    return steps


def _change(
    stage: Stage, item: Block, applied: dict[str, Block], compare: Compare
) -> Change | None:
    key = object_key(item)
    if stage.state == "absent":
        return Change(key, "is not part of the release any more", item, None)
    earlier = applied.get(key)
    if earlier is None:
        return compare(item)
    reason = differences.reason(earlier, item, RECORD_WORDING)
    return Change(key, reason, earlier, item) if reason else None


def _gate(stage: Stage, lacking: Wait) -> Stage:
    return Stage("check", f"what the stage '{stage.name}' relies on holds", [], wait=lacking)


def _minus(needed: Any, done: Any, key: str = "") -> Any:
    """What is left of the conditions in `needed` after those in `done`; falsy if nothing is."""
    if done is None:
        return needed
    if key in _INDIVISIBLE or not isinstance(needed, (dict, list)):
        return None if needed == done else needed
    if isinstance(needed, list):
        return [item for item in needed if item not in done]
    left = {name: _minus(value, done.get(name), name) for name, value in needed.items()}
    return {name: value for name, value in left.items() if value}


def _plus(one: Wait, other: Wait) -> Wait:
    """Both sets of conditions. Of weights and rules the later ones hold."""
    merged = dict(one)
    for key, value in other.items():
        before = merged.get(key)
        if before is None or key in _INDIVISIBLE:
            merged[key] = value
        elif isinstance(value, list):
            merged[key] = [*before, *(item for item in value if item not in before)]
        else:
            merged[key] = _plus(before, value) if isinstance(value, dict) else value
    return merged


def rendered(step: Step) -> dict[str, Any]:
    """A step as the role takes it."""
    stage = step.stage
    return {
        "name": stage.name,
        "why": stage.why,
        "state": stage.state,
        "certificate": step.certificate,
        "objects": stage.objects,
        "wait": stage.wait,
        "changes": [f"{change.item}: {change.reason}" for change in step.changes],
    }
