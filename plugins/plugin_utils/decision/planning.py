# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a rollout will take if nothing is wrong with the canary: played, not calculated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.rehearsal import (
    ADVANCED,
    SERVICES,
    Quality,
    Rehearsal,
    Traffic,
)

# Enough to know the median to a few per cent, and still there before one has read the first line.
_ROLLOUTS = 100
_LOOKS = 400
_SEED = 20
# Latencies are played in this part of the histogram, in multiples of the median.
_LOWEST, _HIGHEST = 0.2, 40.0


@dataclass(frozen=True)
class StepPlan:
    weight: int
    # Canary requests and seconds: of half of the rollouts at most, and of nine in ten.
    requests: int
    requests_most: int
    seconds: float
    seconds_most: float


@dataclass(frozen=True)
class Plan:
    rate: float
    steps: tuple[StepPlan, ...]
    # The part of healthy rollouts that passed all steps.
    advanced: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def plan(
    settings: Settings,
    edges: Sequence[float],
    rate: float,
    weights: Sequence[int],
    quality: Quality | None = None,
) -> Plan:
    """The steps at these weights in percent (100 needs no decision), at `rate` requests per second.

    `quality` is what is known of the stable version, or else a typical service.
    """
    if not rate > 0 or not math.isfinite(rate):
        raise ValueError(f"rate: got {rate!r}; expected requests per second above 0")
    compared = [weight for weight in weights if weight < 100]
    if not compared or any(not 0 < weight <= 100 for weight in weights):
        raise ValueError(f"weights: got {list(weights)!r}; expected percentages above 0, one < 100")
    quality = quality or Quality()
    near = np.array([e for e in edges if _LOWEST < e / quality.median_ms < _HIGHEST])
    used = near if len(near) > 1 else np.array(edges)
    both = (quality,) * SERVICES
    # Slow services are played in longer looks: what counts is how many requests were seen.
    rehearsal = Rehearsal(settings, compared, used, _ROLLOUTS, _SEED, canary_requests_per_look=20)
    played = rehearsal.play(lambda _: Traffic(rate, both, both), _LOOKS)
    requests = np.quantile(played.step_requests, (0.5, 0.9), axis=0)
    seconds = np.quantile(played.step_seconds, (0.5, 0.9), axis=0)
    return Plan(
        rate,
        tuple(
            StepPlan(
                weight,
                math.ceil(requests[0, i]),
                math.ceil(requests[1, i]),
                float(seconds[0, i]),
                float(seconds[1, i]),
            )
            for i, weight in enumerate(compared)
        ),
        float((played.outcome == ADVANCED).mean()),
    )
