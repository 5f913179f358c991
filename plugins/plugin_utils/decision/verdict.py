# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.betting import Array, Bools


class Outcome(str, Enum):
    ADVANCE = "advance"
    ROLL_BACK = "roll back"
    WAIT = "wait"


class Test(Protocol):
    """What FailureTest and LatencyTest have in common."""

    grid: Array
    neutral: float

    def estimate(self) -> Array: ...
    def evidence_above(self) -> Array: ...
    def evidence_below(self) -> Array: ...
    def requests_until_below(self, goal: float, share: float) -> Array: ...


@dataclass(frozen=True)
class Goals:
    """The evidence (logarithm of an e-process) that each claim needs.

    A rollback follows from one metric alone, so each gets its part of alpha. To advance, all of
    them must be within their margins: the one that isn't must be missed, which has probability
    alpha at most with alpha for each (an intersection-union test).
    """

    worse: float
    within: float

    @classmethod
    def of(cls, settings: Settings, metrics: int) -> Goals:
        return cls(worse=math.log(metrics / settings.alpha), within=math.log(1 / settings.alpha))


@dataclass(frozen=True)
class Bounds:
    """Where the canary is, for each rollout; nan where there is no bound yet."""

    lower: Array
    upper: Array
    estimate: Array

    @classmethod
    def of(cls, test: Test, goals: Goals) -> Bounds:
        """A bound is moved only past values of the grid that are refuted without a gap. A canary
        between two values is then wronged only if the first one beyond it is refuted."""
        refuted = np.cumprod(test.evidence_above() >= goals.worse, axis=-1).sum(axis=-1)
        lower = np.append(test.grid, np.nan)[refuted - 1]
        refuted = np.cumprod(test.evidence_below()[..., ::-1] >= goals.within, axis=-1).sum(axis=-1)
        upper = np.append(test.grid, np.nan)[len(test.grid) - refuted]
        return cls(lower, upper, np.asarray(test.estimate()))

    def worse(self, neutral: float, margin: float) -> Bools:
        """Shown to be worse, and at present by more than the margin: a reason to roll back."""
        return np.asarray((self.lower >= neutral) & (self.estimate > margin))

    def within(self, margin: float) -> Bools:
        """Shown to be better than the margin, with nothing at present that says otherwise."""
        return np.asarray((self.upper <= margin) & (self.estimate <= margin))


@dataclass(frozen=True)
class MetricVerdict:
    service: str
    metric: str
    outcome: Outcome
    reason: str
    # Recent values of both versions: shares of requests, or milliseconds; None: no requests.
    canary: float | None
    stable: float | None
    # Difference of shares, or ratio of p95 latencies: estimate, bounds and margin.
    estimate: float
    lower: float | None
    upper: float | None
    margin: float
    # e-values and what they must reach, as decimal logarithms.
    evidence_worse: float
    evidence_within: float
    goal_worse: float
    goal_within: float
    # Canary requests that are missing until it is shown to be within the margin; None: no forecast.
    missing: int | None


@dataclass(frozen=True)
class Verdict:
    outcome: Outcome
    reason: str
    metrics: tuple[MetricVerdict, ...]
    # Canary requests of the service that needs most, and the seconds that they take at the rate of
    # this step; None: no forecast.
    missing: int | None
    missing_seconds: float | None
    # The wait is over without a decision, a person has to take it.
    exhausted: bool

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        block = asdict(self)
        block["outcome"] = self.outcome.value
        for metric in block["metrics"]:
            metric["outcome"] = metric["outcome"].value
        return block
