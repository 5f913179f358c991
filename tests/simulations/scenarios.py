# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Traffic for simulated rollouts: healthy canaries, and canaries that are worse by the margin."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.module_utils.release.telemetry import (
    histogram_edges,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.betting import Array
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.rehearsal import (
    Played,
    Quality,
    Rehearsal,
    Traffic,
)

SETTINGS = Settings()
STEPS = (5, 10, 25, 50)
# A seed for each scenario, by its place in its list.
HEALTHY_SEED, MARGIN_SEED = 1000, 2000
# The part of the histogram in which answers of the simulated services fall.
EDGES: Array = np.array([edge for edge in histogram_edges() if 5 <= edge <= 3000])
TYPICAL = Quality()

Moves = Callable[[int], Traffic]


@dataclass(frozen=True)
class Scenario:
    name: str
    traffic: Moves
    looks: int
    steps: Sequence[int] = STEPS
    # Whether a decision ends the rollout, or looks go on and any claim at any time counts.
    stop: bool = True
    # A look lasts until the canary got so many requests, if that is longer than the settings say.
    canary_requests_per_look: float = 0.0
    # Whether it belongs to what `make test` runs.
    short: bool = False
    rollouts: int = 4000

    def play(self, rollouts: int, seed: int) -> Played:
        rehearsal = Rehearsal(
            SETTINGS, self.steps, EDGES, rollouts, seed, self.canary_requests_per_look
        )
        return rehearsal.play(self.traffic, self.looks, self.stop)


def same(rate: float, quality: Quality = TYPICAL) -> Moves:
    """The canary is like the stable version, and nothing changes."""
    traffic = Traffic(rate, (quality, quality), (quality, quality))
    return lambda _: traffic


def worse(rate: float, canary: Quality, stable: Quality = TYPICAL, services: int = 1) -> Moves:
    """The canary of the first services is another one."""
    changed = (canary,) * services + (stable,) * (2 - services)
    traffic = Traffic(rate, (stable, stable), changed)
    return lambda _: traffic


def moving(rate: float, failures: float = 0.0, slowdown: float = 1.0) -> Moves:
    """Failures of both versions go from 0 to 40% and back, latencies from 1 to 10 times, and the
    canary's share from 2% to 70%: it is highest when most fails, so that what is pooled over looks
    makes any canary seem bad. The canary's differences to the stable version stay what they are."""

    def now(number: int) -> Traffic:
        tide = (1 + math.sin(2 * math.pi * number / 50)) / 2
        stable = Quality(0.4 * tide, TYPICAL.median_ms * 10 ** (1 - tide))
        canary = replace(
            stable,
            failure_rate=stable.failure_rate + failures,
            median_ms=stable.median_ms * slowdown,
        )
        return Traffic(rate, (stable, stable), (canary, stable), share=0.02 + 0.68 * tide)

    return now


def pausing(rate: float) -> Moves:
    """In every second look all requests go to one version, to each in turn."""
    both = (TYPICAL, TYPICAL)

    def now(number: int) -> Traffic:
        share = (None, 0.0, None, 1.0)[number % 4]
        return Traffic(rate, both, both, share)

    return now


def healthy() -> list[Scenario]:
    everything = Quality(failure_rate=1.0)
    return [
        Scenario(
            "5 requests per second",
            same(5),
            600,
            canary_requests_per_look=5,
            short=True,
            rollouts=10_000,
        ),
        Scenario("50 requests per second", same(50), 400, short=True, rollouts=10_000),
        Scenario("500 requests per second", same(500), 400, short=True, rollouts=10_000),
        Scenario("50 per second, looks go on", same(50), 200, (10,), stop=False),
        Scenario("one request in 5 s", same(0.2), 300, (50,), stop=False),
        Scenario("5% fail", same(50, Quality(failure_rate=0.05)), 400),
        Scenario("nothing fails", same(50, Quality(failure_rate=0.0)), 400),
        Scenario("everything fails", same(50, everything), 400),
        Scenario("all answers in one bucket", same(50, Quality(sigma=1e-3)), 400),
        Scenario("a long tail (sigma 1.2)", same(50, Quality(sigma=1.2)), 400),
        Scenario("rates and weights move", moving(50), 200, (10,), stop=False),
        Scenario("versions without requests", pausing(50), 200, (10,), stop=False),
    ]


def at_margin() -> list[Scenario]:
    points, times = SETTINGS.failure_margin, SETTINGS.latency_margin
    # 1.2 and 1.8 are edges of every decade: nothing is lost between the limit and its multiple.
    exact = Quality(median_ms=120 / math.exp(1.6448536 * 0.5))
    narrow = Quality(sigma=0.2, median_ms=120 / math.exp(1.6448536 * 0.2))

    def failing(base: float, services: int = 1) -> Moves:
        stable = Quality(failure_rate=base)
        return worse(50, replace(stable, failure_rate=base + points), stable, services)

    def slower(stable: Quality, services: int = 1) -> Moves:
        return worse(50, replace(stable, median_ms=stable.median_ms * times), stable, services)

    def scenario(name: str, traffic: Moves, short: bool = False) -> Scenario:
        return Scenario(name, traffic, 100, (10,), False, 50, short)

    return [
        scenario("failures 0% and 2%", failing(0.0)),
        scenario("failures 0.2% and 2.2%", failing(0.002), short=True),
        scenario("failures 5% and 7%", failing(0.05)),
        scenario("failures 50% and 52%", failing(0.5)),
        scenario("failures of both services", failing(0.002, services=2)),
        scenario("p95 120 ms and 180 ms", slower(exact), short=True),
        scenario("p95, a narrow spread (sigma 0.2)", slower(narrow)),
        scenario("p95 of both services", slower(exact, services=2)),
        scenario("failures, rates and weights move", moving(50, failures=points)),
        scenario("p95, rates and weights move", moving(50, slowdown=times)),
    ]
