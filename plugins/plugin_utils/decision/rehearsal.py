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
    # The canary's share of the requests, where it isn't the one of the step.
    share: float | None = None


@dataclass(frozen=True)
class Drawn:
    """One service in one look, for each rollout: counts of requests."""

    canary: Ints
    canary_failed: Ints
    stable: Ints
    stable_failed: Ints
    canary_histogram: Ints
    stable_histogram: Ints


# Sees what the statistics see: seconds of the look, for each rollout, and the services.
Witness = Callable[[Array, Sequence[Drawn]], None]


@dataclass(frozen=True)
class _Claims:
    worse: Bools
    within: Bools
    roll_back: Bools
    advance: Bools


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
        # Canary requests until it was first claimed that a metric is worse, and that all are within
        # their margins; infinite if it never was.
        self.worse_after: Array = np.full(rollouts, np.inf)
        self.within_after: Array = np.full(rollouts, np.inf)

    def add(self, at: Ints, step: Ints, services: Sequence[Drawn], seconds: Array) -> None:
        """One more look of the rollouts `at`, which are at these steps."""
        # All services get as many requests.
        requests = services[0].canary
        undecided = self.outcome[at] == WAITED
        self.requests[at] += requests * undecided
        self.failed[at] += sum(drawn.canary_failed for drawn in services) * undecided
        self.seconds[at] += seconds * undecided
        self.step_requests[at, step] += requests
        self.step_seconds[at, step] += seconds

    def note(self, at: Ints, claims: _Claims) -> None:
        seen = self.step_requests[at].sum(axis=-1)
        for after, claimed in (
            (self.worse_after, claims.worse),
            (self.within_after, claims.within),
        ):
            after[at] = np.minimum(after[at], np.where(claimed, seen, np.inf))

    def decide(self, at: Ints, roll_back: Bools, done: Bools) -> None:
        undecided = self.outcome[at] == WAITED
        self.outcome[at[undecided & done]] = ADVANCED
        self.outcome[at[undecided & roll_back]] = ROLLED_BACK


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

    def play(
        self,
        traffic: Callable[[int], Traffic],
        looks: int,
        stop: bool = True,
        witness: Witness | None = None,
    ) -> Played:
        """At most so many looks. Without `stop` they all are taken, also after the decision and
        at the first step."""
        played = Played(self.rollouts, len(self.weights))
        alive: Ints = np.arange(self.rollouts)
        step: Ints = np.zeros(self.rollouts, dtype=np.intp)
        in_step: Array = np.zeros(self.rollouts)
        tests = self._tests(self.rollouts)
        for number in range(looks):
            now = traffic(number)
            weight = self.weights[step]
            seconds = np.maximum(self.settings.look_seconds, self.per_look / (now.rate * weight))
            share = weight if now.share is None else np.full_like(weight, now.share)
            services = self._draw(now, share, seconds)
            if witness:
                witness(seconds, services)
            _observe(tests, services)
            claims = self._claims(tests)
            played.add(alive, step, services, seconds)
            played.note(alive, claims)
            in_step = in_step + services[0].canary
            advance = claims.advance & (in_step >= self.settings.minimum_requests)
            if not stop:
                played.decide(alive, claims.roll_back, advance)
                continue
            step = step + advance
            in_step[advance] = 0
            done = step == len(self.weights)
            played.decide(alive, claims.roll_back, done)
            going = ~claims.roll_back & ~done
            if not going.all():
                alive, step, in_step = alive[going], step[going], in_step[going]
                _keep(tests, going)
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

    def _draw(self, now: Traffic, share: Array, seconds: Array) -> list[Drawn]:
        requests = self.random.poisson(now.rate * seconds)
        canary = self.random.binomial(requests, share)
        stable = requests - canary
        return [
            Drawn(
                canary,
                self.random.binomial(canary, new.failure_rate),
                stable,
                self.random.binomial(stable, good.failure_rate),
                self.random.multinomial(canary, self.shares(new)),
                self.random.multinomial(stable, self.shares(good)),
            )
            for good, new in zip(now.stable, now.canary, strict=True)
        ]

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


def _keep(tests: list[tuple[FailureTest, LatencyTest]], going: Bools) -> None:
    for test in (test for pair in tests for test in pair):
        test.restore({name: kept[going] for name, kept in test.arrays().items()})


def _observe(tests: list[tuple[FailureTest, LatencyTest]], services: Sequence[Drawn]) -> None:
    for (failures, latency), drawn in zip(tests, services, strict=True):
        counts = (drawn.canary, drawn.canary_failed, drawn.stable, drawn.stable_failed)
        failures.observe(*(count.astype(float) for count in counts))
        latency.observe(drawn.canary_histogram.astype(float), drawn.stable_histogram.astype(float))
