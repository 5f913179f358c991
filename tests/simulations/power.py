# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How soon a worse canary is noticed, and how soon a healthy one gets on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.rehearsal import (
    ADVANCED,
    ROLLED_BACK,
    Quality,
    Rehearsal,
)

from tests.simulations.scenarios import EDGES, SETTINGS, TYPICAL, Moves, same, worse
from tests.simulations.tables import percent, requests, table

ROLLOUTS = 1000
CURVES_SEED, FIGURES_SEED = 3000, 4000
# Where the curves are read: canary requests.
AT = (100, 300, 1000, 3000, 10_000)
PER_LOOK = 50.0


@dataclass(frozen=True)
class Curve:
    name: str
    seed: int
    # The share of rollouts in which the canary was shown to be worse by then.
    shown: tuple[float, ...]
    advanced: float
    rolled_back: float
    # Canary requests until half of the rollouts were decided.
    median: float


def canaries() -> list[tuple[str, Quality, Quality]]:
    """What is said of a canary, the stable version, and the canary."""
    found = [
        (
            f"fails {100 * factor * base:.3g}% in place of {100 * base:.3g}% (×{factor:g})",
            Quality(failure_rate=base),
            Quality(failure_rate=factor * base),
        )
        for base in (0.002, 0.01, 0.05)
        for factor in (1.5, 2.0, 5.0)
    ]
    found += [
        (
            f"{slower:.0%} slower",
            TYPICAL,
            replace(TYPICAL, median_ms=TYPICAL.median_ms * (1 + slower)),
        )
        for slower in (0.2, 0.5, 1.0)
    ]
    return found


def curve(number: int, rollouts: int = ROLLOUTS) -> Curve:
    name, stable, canary = canaries()[number]
    seed = CURVES_SEED + number
    rehearsal = Rehearsal(SETTINGS, (10,), EDGES, rollouts, seed, PER_LOOK)
    # One look more, because a look has 50 canary requests on average.
    played = rehearsal.play(worse(50, canary, stable), int(AT[-1] / PER_LOOK) + 4, stop=False)
    decided = np.where(played.outcome > 0, played.requests, np.inf)
    return Curve(
        name,
        seed,
        tuple(float((played.worse_after <= at).mean()) for at in AT),
        float((played.outcome == ADVANCED).mean()),
        float((played.outcome == ROLLED_BACK).mean()),
        float(np.quantile(decided, 0.5, method="higher")),
    )


def curves_table(curves: list[Curve]) -> str:
    head = ["the canary", "seed", *(f"by {at:,}" for at in AT)]
    head += ["rolled back", "advanced", "median"]
    return table(
        head,
        [
            [
                curve.name,
                str(curve.seed),
                *(percent(share) for share in curve.shown),
                percent(curve.rolled_back),
                percent(curve.advanced),
                requests(curve.median),
            ]
            for curve in curves
        ],
    )


@dataclass(frozen=True)
class Promise:
    name: str
    traffic: Moves
    # What is decided rightly, the most that it takes, and how many rollouts must keep to it.
    outcome: int
    most: float
    least: float

    @property
    def unit(self) -> str:
        return "s" if self.outcome == ADVANCED else "canary requests"


@dataclass(frozen=True)
class Figure:
    """What became of a promise: what half, 99% and all rollouts needed."""

    name: str
    seed: int
    unit: str
    half: float
    nearly_all: float
    all: float
    promised: float
    # The share of rollouts that were rightly decided within what is promised.
    within: float
    least: float

    @property
    def kept(self) -> bool:
        return self.within >= self.least


def promises() -> list[Promise]:
    broken, flawless = Quality(failure_rate=0.5), Quality(failure_rate=0.0)
    every_second = "every second request of one service's canary fails"
    return [
        Promise(every_second, worse(50, broken), ROLLED_BACK, 100, 0.99),
        Promise("the same at 5 requests per second", worse(5, broken), ROLLED_BACK, 100, 0.99),
        Promise("nothing is wrong, a step at 10%", same(50), ADVANCED, 120, 0.85),
        Promise("the same, and no request fails", same(50, flawless), ADVANCED, 120, 0.9),
    ]


def figure(number: int, rollouts: int = ROLLOUTS) -> Figure:
    promise, seed = promises()[number], FIGURES_SEED + number
    played = Rehearsal(SETTINGS, (10,), EDGES, rollouts, seed).play(promise.traffic, 400)
    needed = played.seconds if promise.outcome == ADVANCED else played.requests
    needed = np.where(played.outcome == promise.outcome, needed, np.inf)
    half, nearly_all = (float(np.quantile(needed, part, method="higher")) for part in (0.5, 0.99))
    return Figure(
        promise.name,
        seed,
        promise.unit,
        half,
        nearly_all,
        float(needed.max()),
        promise.most,
        float((needed <= promise.most).mean()),
        promise.least,
    )


def figures_table(figures: list[Figure]) -> str:
    return table(
        ["what happens", "seed", "half of them", "99%", "all", "promised", "within that"],
        [
            [
                found.name,
                str(found.seed),
                *(
                    f"{requests(value)} {found.unit}"
                    for value in (found.half, found.nearly_all, found.all, found.promised)
                ),
                percent(found.within),
            ]
            for found in figures
        ],
    )
