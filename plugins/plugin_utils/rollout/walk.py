# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The walk of a canary through its steps: what follows from each event, and nothing else.

Every function takes a document and gives the next one, so that all of it can be tested without a
cluster; who carries out the actions is `engine`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Union

from ansible_collections.roost.cluster.plugins.plugin_utils.decision.verdict import (
    Outcome,
    Verdict,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import document as documents
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import Document

FULL = 100
TAKEN_BACK = "the canary was taken back while nobody steered the rollout"


@dataclass(frozen=True)
class Keep:
    """Go on looking."""


@dataclass(frozen=True)
class Weigh:
    """Give the canary this weight."""

    weight: int


@dataclass(frozen=True)
class Promote:
    reason: str


@dataclass(frozen=True)
class RollBack:
    reason: str


@dataclass(frozen=True)
class Leave:
    """Leave the weight as it is, for a person to decide."""

    reason: str


Action = Union[Keep, Weigh, Promote, RollBack, Leave]


def next_weight(weight: int, steps: Sequence[int]) -> int:
    """The first step above a weight; 100 after the last one."""
    return next((step for step in steps if step > weight), FULL)


def opening(live: int, steps: Sequence[int]) -> Action:
    """What to do first, with the weight that is live: a canary of weight 0 shows nothing."""
    if live >= FULL:
        return Promote(
            "the canary had the whole weight already, so there was nothing to compare it with"
        )
    if live == 0:
        return Weigh(next_weight(0, steps))
    return Keep()


def stepped(document: Document, weight: int, at: str) -> Document:
    """The canary has this weight now. A weight that it had already begins no step of its own."""
    steps = document.steps
    if steps and document.weight == weight:
        going_on = {**steps[-1], "ended": None, "outcome": None, "reason": ""}
        return replace(document, steps=(*steps[:-1], going_on))
    if steps:
        steps = _closed(steps, at, "moved", f"the weight was moved to {weight}% by hand")
    step = {
        "weight": weight,
        "began": at,
        "ended": None,
        "outcome": None,
        "reason": "",
        "counts": {},
    }
    return replace(document, steps=(*steps, step))


def looked(
    document: Document,
    look: Mapping[str, Any],
    counts: Mapping[str, Any],
    verdict: Verdict,
    steps: Sequence[int],
) -> tuple[Document, Action]:
    """A look was taken in; `counts` are the step's so far."""
    at = str(look["at"])
    step = {**document.steps[-1], "counts": counts}
    document = replace(
        document,
        steps=(*document.steps[:-1], step),
        looks=(*document.looks, look),
        verdict=verdict.as_dict(),
    )
    if verdict.outcome is Outcome.ROLL_BACK:
        return _end_step(document, at, verdict), RollBack(verdict.reason)
    if verdict.outcome is Outcome.ADVANCE:
        following = next_weight(document.weight, steps)
        document = _end_step(document, at, verdict)
        return document, Weigh(following) if following < FULL else Promote(verdict.reason)
    if verdict.exhausted:
        missing = verdict.missing
        left = "" if missing is None else f"; {missing} canary requests are still missing"
        return _end_step(document, at, verdict), Leave(f"{verdict.reason}{left}")
    return document, Keep()


def _end_step(document: Document, at: str, verdict: Verdict) -> Document:
    steps = _closed(document.steps, at, verdict.outcome.value, verdict.reason)
    return replace(document, steps=steps, reason=verdict.reason)


def _closed(
    steps: tuple[Mapping[str, Any], ...], at: str, outcome: str, reason: str
) -> tuple[Mapping[str, Any], ...]:
    last = steps[-1]
    if last["ended"] is not None:
        return steps
    return (*steps[:-1], {**last, "ended": at, "outcome": outcome, "reason": reason})


def resumed(document: Document, who: str, live: int) -> Document:
    """Somebody goes on with it. A step that was written down, but whose weight never became live
    before the rollout was killed, is forgotten."""
    steps = document.steps
    if len(steps) > 1 and live and not steps[-1]["counts"] and document.weight != live:
        steps = steps[:-1]
    return replace(document, who=who, ended=None, outcome=documents.RUNNING, steps=steps)


def ended(document: Document, outcome: str, reason: str, at: str) -> Document:
    steps = _closed(document.steps, at, outcome, reason) if document.steps else ()
    return replace(document, steps=steps, outcome=outcome, reason=reason, ended=at)
