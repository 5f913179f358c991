# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import numpy as np
import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.comparison import differences
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.failures import FailureTest
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.verdict import Bounds, Goals

GRID = differences(0.02)
NONE = int(np.searchsorted(GRID, 0.0))
MARGIN = int(np.searchsorted(GRID, 0.02))
GOALS = Goals.of(Settings(), 4)


def after(*looks: tuple[float, float, float, float]) -> FailureTest:
    """Requests and failures of the canary, then of the stable version."""
    test = FailureTest(GRID)
    for look in looks:
        test.observe(*(np.array(float(count)) for count in look))
    return test


def test_the_grid_has_nothing_the_margin_and_both_ends() -> None:
    assert {0.0, 0.02, -1.0, 1.0} <= set(GRID)
    assert 0.017 in differences(0.017)
    assert list(GRID) == sorted(set(GRID))


def test_goals_by_hand() -> None:
    assert np.exp(GOALS.worse) == pytest.approx(400)
    assert np.exp(GOALS.within) == pytest.approx(100)


@pytest.mark.parametrize("stable_rate", [0.0, 0.002, 0.05])
def test_a_canary_that_fails_every_second_request_is_worse_within_a_hundred(
    stable_rate: float,
) -> None:
    test = after((50, 25, 450, round(450 * stable_rate)))
    bounds = Bounds.of(test, GOALS)
    assert bounds.worse(0.0, 0.02)
    assert bounds.lower >= 0.1


def test_no_failure_in_few_requests_is_no_health() -> None:
    bounds = Bounds.of(after((100, 0, 900, 0)), GOALS)
    assert not bounds.within(0.02)
    assert bounds.upper > 0.02
    assert Bounds.of(after((400, 0, 3600, 0)), GOALS).within(0.02)


def test_what_both_versions_share_is_nobodys_fault() -> None:
    """Failures rise and fall with the hour, and most canary requests came in a bad one."""
    looks = [(10, 0, 990, 0)] * 5 + [(500, 150, 500, 150)] * 5
    canary = sum(look[1] for look in looks) / sum(look[0] for look in looks)
    stable = sum(look[3] for look in looks) / sum(look[2] for look in looks)
    assert canary > 2 * stable
    test = after(*looks)
    assert test.evidence_above()[NONE] < 0
    assert test.estimate() == pytest.approx(0.0)


def test_a_worse_canary_is_not_hidden_by_a_better_hour() -> None:
    """The mirror image: pooled over looks the canary seems better, in every look it is worse."""
    looks = [(500, 10, 500, 0)] * 5 + [(10, 6, 990, 400)] * 5
    test = after(*looks)
    assert test.evidence_above()[NONE] > GOALS.worse
    assert test.estimate() > 0


def test_a_look_in_which_one_version_had_no_request_changes_nothing() -> None:
    before, empty = after((50, 1, 450, 3)), after((50, 1, 450, 3), (0, 0, 500, 70), (30, 9, 0, 0))
    assert empty.evidence_above() == pytest.approx(before.evidence_above())
    assert empty.evidence_below() == pytest.approx(before.evidence_below())
    assert empty.rates() == pytest.approx(before.rates())


def test_nothing_seen_is_no_evidence() -> None:
    test = after()
    assert test.evidence_above() == pytest.approx(0.0)
    assert test.evidence_below() == pytest.approx(0.0)
    bounds = Bounds.of(test, GOALS)
    assert np.isnan(bounds.lower)
    assert np.isnan(bounds.upper)


def test_each_failure_of_the_canary_speaks_against_it_and_each_of_the_stable_for_it() -> None:
    by_canary = [after((60, failed, 540, 5)) for failed in range(0, 60, 4)]
    by_stable = [after((60, 3, 540, failed)) for failed in range(0, 200, 10)]
    for tests, sign in ((by_canary, 1), (by_stable, -1)):
        worse = np.array([test.worse.total() for test in tests])
        within = np.array([test.evidence_below()[MARGIN] for test in tests])
        # The bet on odds is one-sided: where the canary is better already, it may only be flat.
        assert (sign * np.diff(worse) >= -1e-9).all()
        assert (sign * np.diff(within) < 0).all()


@pytest.mark.parametrize(
    "look", [(50, 0, 450, 0), (50, 25, 450, 2), (200, 2, 200, 2), (5, 5, 995, 3), (500, 30, 50, 0)]
)
def test_smaller_differences_are_refuted_first_and_the_bounds_hold_the_estimate(
    look: tuple[float, float, float, float],
) -> None:
    test = after(*[look] * 4)
    above, below = test.evidence_above() >= GOALS.worse, test.evidence_below() >= GOALS.within
    assert (np.diff(above.astype(int)) <= 0).all()
    assert (np.diff(below.astype(int)) >= 0).all()
    bounds = Bounds.of(test, GOALS)
    assert not bounds.lower > test.estimate()
    assert not bounds.upper < test.estimate()


def test_a_canary_that_breaks_after_hours_of_health_is_noticed_at_once() -> None:
    looks = [(50, 0, 450, 2)] * 700
    test = after(*looks)
    assert Bounds.of(test, GOALS).within(0.02)
    seen = 0
    while not Bounds.of(test, GOALS).worse(0.0, 0.02):
        test.observe(*(np.array(float(count)) for count in (10, 5, 90, 0)))
        seen += 10
        assert seen <= 100
    assert not Bounds.of(test, GOALS).within(0.02)


def test_the_forecast_is_what_it_takes_and_shrinks() -> None:
    test = after()
    missing = test.requests_until_below(GOALS.within, 0.1)[MARGIN]
    assert 250 < missing < 450
    seen = 0
    while not Bounds.of(test, GOALS).within(0.02):
        left = test.requests_until_below(GOALS.within, 0.1)[MARGIN]
        assert left > 0
        test.observe(*(np.array(float(count)) for count in (10, 0, 90, 0)))
        seen += 10
    assert seen == pytest.approx(missing, rel=0.15)
    assert test.requests_until_below(GOALS.within, 0.1)[MARGIN] == 0
    at_margin = after(*[(50, 2, 450, 9)] * 40)
    assert at_margin.requests_until_below(GOALS.within, 0.1)[MARGIN] > 20_000
