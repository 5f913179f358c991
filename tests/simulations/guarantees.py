# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How often rollouts end wrongly, against alpha, which bounds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.rehearsal import (
    ADVANCED,
    ROLLED_BACK,
    WAITED,
)
from scipy.special import betaincinv

from tests.simulations import scenarios
from tests.simulations.scenarios import Scenario
from tests.simulations.tables import percent, table

CONFIDENCE = 0.999


@dataclass(frozen=True)
class Result:
    name: str
    seed: int
    rollouts: int
    # Rollouts that ended wrongly, and those in which the claim was made that makes them end so.
    wrong: int
    claimed: int
    advanced: int
    rolled_back: int
    waited: int

    def proves_more_than(self, alpha: float) -> bool:
        """Whether the true probability of either must be above alpha."""
        return any(lower_bound(k, self.rollouts) > alpha for k in (self.wrong, self.claimed))


def lower_bound(hits: int, trials: int) -> float:
    """The exact (Clopper-Pearson) one-sided bound of a probability."""
    return float(betaincinv(hits, trials - hits + 1, 1 - CONFIDENCE)) if hits else 0.0


def of_healthy(number: int, rollouts: int) -> Result:
    """A canary like the stable version must not be rolled back."""
    return _result(scenarios.healthy()[number], scenarios.HEALTHY_SEED + number, rollouts, True)


def at_margin(number: int, rollouts: int) -> Result:
    """A canary that is worse by the margin must not advance."""
    return _result(scenarios.at_margin()[number], scenarios.MARGIN_SEED + number, rollouts, False)


def _result(scenario: Scenario, seed: int, rollouts: int, healthy: bool) -> Result:
    played = scenario.play(rollouts, seed)
    wrong = ROLLED_BACK if healthy else ADVANCED
    claims = played.worse_after if healthy else played.within_after
    return Result(
        scenario.name,
        seed,
        rollouts,
        int((played.outcome == wrong).sum()),
        int(np.isfinite(claims).sum()),
        int((played.outcome == ADVANCED).sum()),
        int((played.outcome == ROLLED_BACK).sum()),
        int((played.outcome == WAITED).sum()),
    )


def as_table(results: Sequence[Result], wrong: str, claim: str) -> str:
    head = ["traffic", "seed", "rollouts", wrong, "at least", claim, "at least", "waiting"]
    return table(
        head,
        [
            [
                result.name,
                str(result.seed),
                f"{result.rollouts:,}",
                percent(result.wrong / result.rollouts),
                percent(lower_bound(result.wrong, result.rollouts)),
                percent(result.claimed / result.rollouts),
                percent(lower_bound(result.claimed, result.rollouts)),
                percent(result.waited / result.rollouts),
            ]
            for result in results
        ],
    )
