# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollouts played with invented traffic, many side by side, by the code that decides real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.betting import (
    Array,
    Bools,
    Ints,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.failures import FailureTest
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.latency import LatencyTest
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.verdict import (
    Bounds,
    Goals,
    Test,
)
from scipy.special import ndtr

SERVICES = 2
WAITED, ADVANCED, ROLLED_BACK = 0, 1, 2


@dataclass(frozen=True)
class Quality:
    """How one version answers: its failures, and log-normal latencies."""

    failure_rate: float = 0.002
    median_ms: float = 25.0
    sigma: float = 0.5


@dataclass(frozen=True)
class Traffic:
    """One look: requests per second, and the two versions of every service."""

    rate: float
    stable: Sequence[Quality]
    canary: Sequence[Quality]


class Played:
    """What became of each rollout."""

    def __init__(self, rollouts: int, steps: int) -> None:
        self.outcome: Ints = np.full(rollouts, WAITED)
        # Until the decision: canary requests, failed ones among them, seconds.
        self.requests: Array = np.zeros(rollouts)
        self.failed: Array = np.zeros(rollouts)
        self.seconds: Array = np.zeros(rollouts)
        # Canary requests and seconds spent in each step.
        self.step_requests: Array = np.zeros((rollouts, steps))
        self.step_seconds: Array = np.zeros((rollouts, steps))
        # Whether it was ever claimed that a metric is worse, and that all are within margins.
        self.claimed_worse: Bools = np.zeros(rollouts, dtype=bool)
        self.claimed_within: Bools = np.zeros(rollouts, dtype=bool)


@dataclass(frozen=True)
class _Claims:
    worse: Bools
    within: Bools
    roll_back: Bools
    advance: Bools


class Rehearsal:
    """Plays rollouts through steps (the canary's weights in percent)."""

    def __init__(
        self,
        settings: Settings,
        steps: Sequence[int],
        edges: Array,
        rollouts: int,
        seed: int,
        canary_requests_per_look: float = 0.0,
    ) -> None:
        """Looks are as long as the settings say, or as it takes the canary to get so many."""
        self.settings, self.edges = settings, edges
        self.weights: Array = np.array(steps) / 100
        self.random = np.random.default_rng(seed)
        self.rollouts = rollouts
        self.per_look = canary_requests_per_look
        self.goals = Goals.of(settings, 2 * SERVICES)

    def play(self, traffic: Callable[[int], Traffic], looks: int, stop: bool = True) -> Played:
        """At most so many looks. Without `stop` they all are taken, at the first step."""
        played = Played(self.rollouts, len(self.weights))
        alive: Ints = np.arange(self.rollouts)
        step: Ints = np.zeros(self.rollouts, dtype=np.intp)
        in_step: Array = np.zeros(self.rollouts)
        tests = self._tests(self.rollouts)
        for number in range(looks):
            now = traffic(number)
            weight = self.weights[step]
            seconds = np.maximum(self.settings.look_seconds, self.per_look / (now.rate * weight))
            requests, failed = self._observe(tests, now, weight, seconds)
            in_step += requests
            played.requests[alive] += requests
            played.failed[alive] += failed
            played.seconds[alive] += seconds
            played.step_requests[alive, step] += requests
            played.step_seconds[alive, step] += seconds
            claims = self._claims(tests)
            played.claimed_worse[alive] |= claims.worse
            played.claimed_within[alive] |= claims.within
            if not stop:
                continue
            advance = claims.advance & (in_step >= self.settings.minimum_requests)
            step = step + advance
            in_step[advance] = 0
            done = step == len(self.weights)
            played.outcome[alive[claims.roll_back]] = ROLLED_BACK
            played.outcome[alive[done]] = ADVANCED
            going = ~claims.roll_back & ~done
            if not going.all():
                alive, step, in_step = alive[going], step[going], in_step[going]
                for test in (test for pair in tests for test in pair):
                    test.restore({name: kept[going] for name, kept in test.arrays().items()})
            if not going.any():
                break
        return played

    def _tests(self, count: int) -> list[tuple[FailureTest, LatencyTest]]:
        """Only for the values that decide."""
        differences = np.array([0.0, self.settings.failure_margin])
        ratios = np.array([1.0, self.settings.latency_margin])
        return [
            (
                FailureTest(differences, (count,)),
                LatencyTest(self.edges, ratios, (count,)),
            )
            for _service in range(SERVICES)
        ]

    def _observe(
        self,
        tests: list[tuple[FailureTest, LatencyTest]],
        now: Traffic,
        weight: Array,
        seconds: Array,
    ) -> tuple[Array, Array]:
        """Draw one look for each rollout; the canary's requests, and how many of them failed."""
        requests = self.random.poisson(now.rate * seconds)
        canary = self.random.binomial(requests, weight)
        all_failed = np.zeros(len(weight))
        for (failures, latency), good, new in zip(tests, now.stable, now.canary, strict=True):
            counts = []
            for count, quality in ((canary, new), (requests - canary, good)):
                counts += [count, self.random.binomial(count, quality.failure_rate)]
            failures.observe(*(np.asarray(count, dtype=float) for count in counts))
            all_failed += counts[1]
            latency.observe(
                self.random.multinomial(canary, self.shares(new)).astype(float),
                self.random.multinomial(requests - canary, self.shares(good)).astype(float),
            )
        return canary.astype(float), all_failed

    def shares(self, quality: Quality) -> Array:
        """Probabilities of the histogram's buckets."""
        up_to = ndtr(np.log(self.edges / quality.median_ms) / quality.sigma)
        shares: Array = np.diff(np.concatenate([[0.0], up_to, [1.0]]))
        return shares

    def _claims(self, tests: list[tuple[FailureTest, LatencyTest]]) -> _Claims:
        margins = (self.settings.failure_margin, self.settings.latency_margin)
        judged: list[tuple[Test, float]] = []
        for pair in tests:
            judged += zip(pair, margins, strict=True)
        found = [(Bounds.of(test, self.goals), test.neutral, margin) for test, margin in judged]
        roll_back = np.any([b.worse(neutral, margin) for b, neutral, margin in found], axis=0)
        within = np.all([b.within(margin) for b, _neutral, margin in found], axis=0)
        return _Claims(
            worse=np.any([b.lower >= neutral for b, neutral, _margin in found], axis=0),
            within=np.all([b.upper <= margin for b, _neutral, margin in found], axis=0),
            roll_back=roll_back,
            advance=within & ~roll_back,
        )
