# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import time
from dataclasses import replace

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.module_utils.release.telemetry import (
    histogram_edges,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.planning import plan
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.rehearsal import Quality

EDGES = histogram_edges()
SETTINGS = Settings()


def test_a_slow_service_takes_as_many_requests_and_more_time() -> None:
    began = time.process_time()
    slow = plan(SETTINGS, EDGES, rate=5, weights=(5, 10, 25, 50, 100))
    assert time.process_time() - began < 2
    quick = plan(SETTINGS, EDGES, rate=50, weights=(5, 10, 25, 50, 100))
    assert [step.weight for step in slow.steps] == [5, 10, 25, 50]
    assert slow.advanced == quick.advanced == 1.0
    first, same = slow.steps[0], quick.steps[0]
    assert first.requests == pytest.approx(same.requests, rel=0.2)
    assert first.seconds == pytest.approx(10 * same.seconds, rel=0.2)
    assert 15 * 60 < first.seconds < first.seconds_most < 3600
    # Later steps only want their minimum.
    for step in slow.steps[1:]:
        assert 100 <= step.requests <= step.requests_most < 200


def test_the_same_plan_twice() -> None:
    assert plan(SETTINGS, EDGES, 50, (50,)) == plan(SETTINGS, EDGES, 50, (50,))


def test_a_service_that_fails_more_or_a_smaller_margin_takes_longer() -> None:
    typical = plan(SETTINGS, EDGES, 50, (10,)).steps[0]
    failing = plan(SETTINGS, EDGES, 50, (10,), Quality(failure_rate=0.01)).steps[0]
    narrow = plan(replace(SETTINGS, latency_margin=1.35), EDGES, 50, (10,)).steps[0]
    assert failing.requests > 1.2 * typical.requests
    assert narrow.requests > 1.2 * typical.requests


@pytest.mark.parametrize(
    ("rate", "weights", "said"),
    [
        (0, (10,), "rate: got 0; expected requests per second above 0"),
        (float("nan"), (10,), "rate: got nan"),
        (5, (100,), r"weights: got \[100\]; expected percentages above 0, one < 100"),
        (5, (0, 10), r"weights: got \[0, 10\]"),
    ],
)
def test_what_can_not_be_planned_is_named(rate: float, weights: tuple[int, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plan(SETTINGS, EDGES, rate, weights)
