# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verdicts in one sentence each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.roost.cluster.plugins.plugin_utils.decision.verdict import (
    MetricVerdict,
    Outcome,
)


@dataclass(frozen=True)
class Words:
    """How the numbers of one metric are said."""

    metric: str
    name: str
    neutral: float
    value: str
    factor: float
    size: str

    def of_value(self, number: float) -> str:
        return self.value.format(self.factor * number)

    def of_size(self, number: float) -> str:
        return self.size.format(self.factor * number)


FAILURES = Words("failures", "failures", 0.0, "{:.3g}%", 100.0, "{:+.3g} points")
LATENCY = Words("latency", "p95 latency", 1.0, "{:.3g} ms", 1.0, "×{:.3g}")


def of_metric(words: Words, found: MetricVerdict) -> str:
    missing = (
        "nobody can say how many canary requests are missing"
        if found.missing is None
        else f"about {found.missing} canary requests are missing"
    )
    if found.canary is None or found.stable is None:
        return (
            f"{found.service} {words.name}: there were no requests to both versions at the same "
            f"time yet, and that is no sign of health; {missing}"
        )
    head = (
        f"{found.service} {words.name}: canary {words.of_value(found.canary)}, "
        f"stable {words.of_value(found.stable)}"
    )
    estimate, margin = words.of_size(found.estimate), words.of_size(found.margin)
    if found.outcome is Outcome.ROLL_BACK:
        proven = found.lower is not None and found.lower > words.neutral
        least = f", by more than {words.of_size(found.lower or 0)}" if proven else ""
        return f"{head}; shown to be worse{least}, and now by {estimate}, margin {margin}"
    if found.outcome is Outcome.ADVANCE:
        return f"{head}; shown to be below {words.of_size(found.upper or 0)}, margin {margin}"
    if found.estimate > found.margin:
        return f"{head}; {estimate} is above the margin {margin}, but may be chance"
    if found.missing is None:
        return f"{head}; {estimate} is too near the margin {margin} to foresee a decision"
    return f"{head}; {margin} can't be excluded yet, {missing}"


def of_all(outcome: Outcome, metrics: Sequence[MetricVerdict], blocked: str, exhausted: str) -> str:
    """The sentence for the rollout: that of the metric which decides."""
    if outcome is Outcome.ROLL_BACK:
        return next(metric.reason for metric in metrics if metric.outcome is Outcome.ROLL_BACK)
    if outcome is Outcome.ADVANCE:
        return f"all {len(metrics)} metrics are shown to be below their margins"
    waiting = [metric for metric in metrics if metric.outcome is Outcome.WAIT]
    reason = max(waiting, key=_missing).reason if waiting else blocked
    return f"{exhausted}; {reason}" if exhausted else reason


def _missing(found: MetricVerdict) -> float:
    return math.inf if found.missing is None else found.missing
