# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Flagger's rule of fixed thresholds on the same looks, for comparison only.

As its documentation describes it (docs.flagger.app: how it works, metrics, and the tutorial for
Istio, whose settings these are): every 60 s the canary's last minute is checked; a success rate
below 99% or a p99 above 500 ms makes it a failed check, and the weight stays; five failed checks
in all roll back, which it says takes interval × threshold; from 10% in steps of 10 to 50% it is
promoted after five checks that passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.betting import Array, Ints
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.rehearsal import (
    ADVANCED,
    ROLLED_BACK,
    WAITED,
    Drawn,
    Quality,
    Rehearsal,
)

from tests.simulations.scenarios import EDGES, SETTINGS, TYPICAL, same, worse
from tests.simulations.tables import percent, seconds, table

INTERVAL, THRESHOLD, CHECKS_TO_PASS = 60.0, 5, 5
LEAST_SUCCESS, MOST_MS, QUANTILE = 0.99, 500.0, 0.99
ROLLOUTS, SEED, MINUTES = 1000, 5000, 20


class FixedThresholds:
    """Watches the first service of rollouts that are simulated side by side."""

    def __init__(self, rollouts: int, edges: Array) -> None:
        self.edges = edges
        self.outcome: Ints = np.full(rollouts, WAITED)
        self.decided_at: Array = np.full(rollouts, np.inf)
        self.failed_checks: Ints = np.zeros(rollouts, dtype=np.intp)
        self.passed_checks: Ints = np.zeros(rollouts, dtype=np.intp)
        self._begin_interval(rollouts)
        self._time = 0.0

    def _begin_interval(self, rollouts: int) -> None:
        self._requests: Array = np.zeros(rollouts)
        self._failures: Array = np.zeros(rollouts)
        self._histogram: Array = np.zeros((rollouts, len(self.edges) + 1))

    def see(self, lasted: Array, services: Sequence[Drawn]) -> None:
        """One look; all rollouts have the same clock."""
        first = services[0]
        self._time += float(lasted[0])
        self._requests += first.canary
        self._failures += first.canary_failed
        self._histogram += first.canary_histogram
        if self._time % INTERVAL < 1e-6:
            self._check()
            self._begin_interval(len(self.outcome))

    def _check(self) -> None:
        success = 1 - self._failures / np.maximum(self._requests, 1)
        # Without any request there is no value, which halts the canary as a failed check does.
        failed = (self._requests == 0) | (success < LEAST_SUCCESS) | (self._p99() > MOST_MS)
        going = self.outcome == WAITED
        self.failed_checks += going & failed
        self.passed_checks += going & ~failed
        for outcome, ended in (
            (ROLLED_BACK, self.failed_checks >= THRESHOLD),
            (ADVANCED, self.passed_checks >= CHECKS_TO_PASS),
        ):
            self.outcome[going & ended] = outcome
            self.decided_at[going & ended] = self._time

    def _p99(self) -> Array:
        """Interpolated linearly in its bucket, as Prometheus does it; in finer buckets than
        Istio's, which is to the rule's advantage."""
        upper = np.append(self.edges, self.edges[-1])
        lower = np.concatenate([[0.0], self.edges])
        reached = np.cumsum(self._histogram, axis=-1)
        wanted = QUANTILE * reached[:, -1:]
        bucket = (reached < wanted).sum(axis=-1)
        row = np.arange(len(bucket))
        inside = np.maximum(self._histogram[row, bucket], 1)
        way = 1 - (reached[row, bucket] - wanted[:, 0]) / inside
        found: Array = lower[bucket] + (upper[bucket] - lower[bucket]) * way
        return found


@dataclass(frozen=True)
class Compared:
    name: str
    seed: int
    # Shares that were rolled back and let pass, and the median seconds of the rollbacks: of the
    # fixed thresholds, then of Roost.
    fixed: tuple[float, float, float]
    ours: tuple[float, float, float]


def canaries() -> list[tuple[str, float, Quality, Quality]]:
    """What is said of it, requests per second, the stable version and the canary."""

    def slower(factor: float) -> Quality:
        return replace(TYPICAL, median_ms=TYPICAL.median_ms * factor)

    flaky, slow = Quality(failure_rate=0.005), Quality(median_ms=200.0)
    down = Quality(failure_rate=0.3)
    return [
        ("like the stable version", 50, TYPICAL, TYPICAL),
        ("like the stable version, 0.5% fail, 10 per second", 10, flaky, flaky),
        ("like the stable version, both have a p99 of 640 ms", 50, slow, slow),
        ("like the stable version, 30% of both fail for an outage elsewhere", 50, down, down),
        ("fails 3% in place of 0.2%", 50, TYPICAL, Quality(failure_rate=0.03)),
        ("fails 5%", 50, TYPICAL, Quality(failure_rate=0.05)),
        ("fails 50%", 50, TYPICAL, Quality(failure_rate=0.5)),
        ("twice as slow", 50, TYPICAL, slower(2)),
        ("five times as slow", 50, TYPICAL, slower(5)),
        ("ten times as slow", 50, TYPICAL, slower(10)),
    ]


def compare(number: int, rollouts: int = ROLLOUTS) -> Compared:
    name, rate, stable, canary = canaries()[number]
    seed = SEED + number
    fixed = FixedThresholds(rollouts, EDGES)
    traffic = same(rate, stable) if canary == stable else worse(rate, canary, stable)
    looks = round(MINUTES * 60 / SETTINGS.look_seconds)
    played = Rehearsal(SETTINGS, (10,), EDGES, rollouts, seed).play(
        traffic, looks, stop=False, witness=fixed.see
    )
    return Compared(
        name,
        seed,
        _summary(fixed.outcome, fixed.decided_at),
        _summary(played.outcome, played.seconds),
    )


def _summary(outcome: Ints, decided_at: Array) -> tuple[float, float, float]:
    rolled_back = outcome == ROLLED_BACK
    median = float(np.median(decided_at[rolled_back])) if rolled_back.any() else np.inf
    return float(rolled_back.mean()), float((outcome == ADVANCED).mean()), median


def comparison_table(found: list[Compared]) -> str:
    head = ["the canary", "seed"]
    for rule in ("fixed", "Roost"):
        head += [f"{rule}: rolled back", "let pass", "median time to rollback"]
    rows = []
    for compared in found:
        row = [compared.name, str(compared.seed)]
        for rolled_back, passed, median in (compared.fixed, compared.ours):
            row += [percent(rolled_back), percent(passed), seconds(median)]
        rows.append(row)
    return table(head, rows)
