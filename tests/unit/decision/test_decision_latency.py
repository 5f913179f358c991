# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.module_utils.release.telemetry import (
    histogram_edges,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.comparison import ratios
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.latency import LatencyTest
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.verdict import Bounds, Goals

EDGES = np.array(histogram_edges())
RATIOS = ratios(1.5)
SAME, MARGIN = (int(np.searchsorted(RATIOS, ratio)) for ratio in (1.0, 1.5))
GOALS = Goals.of(Settings(), 4)
Histogram = npt.NDArray[np.float64]


def histogram(latencies: dict[float, int]) -> Histogram:
    """Counts from latencies in ms, each with how often it was seen."""
    counts = np.zeros(len(EDGES) + 1)
    for latency, count in latencies.items():
        counts[np.searchsorted(EDGES, latency)] += count
    return counts


def spread(p95: float, requests: int) -> Histogram:
    """Latencies of which 5% are above p95, spread evenly on the logarithmic scale around it."""
    steps = np.linspace(-0.95, 0.05, requests)
    return histogram_of(p95 * np.exp(steps))


def histogram_of(latencies: npt.NDArray[np.float64]) -> Histogram:
    return np.bincount(np.searchsorted(EDGES, latencies), minlength=len(EDGES) + 1).astype(float)


def after(*looks: tuple[Histogram, Histogram]) -> LatencyTest:
    test = LatencyTest(EDGES, RATIOS)
    for canary, stable in looks:
        test.observe(canary, stable)
    return test


def test_a_limit_and_its_multiple_are_never_nearer_or_farther_than_the_ratio_says() -> None:
    test = after()
    edge = np.concatenate([EDGES[:1], EDGES, [np.inf]])
    for i, ratio in enumerate(RATIOS):
        wanted = ratio * test.limits
        at_least, at_most = test._at_least[i], test._at_most[i]
        assert (edge[at_least] >= wanted * (1 - 1e-8)).all()
        # Index 0 is exceeded by all requests, so no claim about the canary can be won there.
        assert (edge[at_most] <= wanted * (1 + 1e-8))[at_most > 0].all()
        assert (at_least >= 1).all()
        assert (at_least - at_most <= 1).all()
    # 1.5 times 100 ms is no edge; 140 and 160 are next to it. 2 times 100 is one.
    hundred = 1 + int(np.searchsorted(EDGES, 100.0))
    assert edge[test._at_most[MARGIN][hundred]] == 140
    assert edge[test._at_least[MARGIN][hundred]] == 160
    double = int(np.searchsorted(RATIOS, 2.0))
    assert edge[test._at_most[double][hundred]] == edge[test._at_least[double][hundred]] == 200


def test_p95_by_hand() -> None:
    # 4% above 110 ms and 12% above 100 ms: 7/8 of the way between, on the logarithmic scale.
    counts = histogram({50: 88, 105: 8, 300: 4})
    canary, stable = after((counts, counts)).quantiles()
    assert canary == stable == pytest.approx(100 * 1.1 ** (7 / 8))


def test_nothing_is_bet_before_it_is_known_where_the_p95_is() -> None:
    first = (spread(100, 20), spread(100, 99))
    test = after(first, first)
    assert test.evidence_above() == pytest.approx(0.0)
    assert test.stable_above.total() == pytest.approx(0.0)
    assert after(first, first, first).stable_above.total()[MARGIN] != pytest.approx(0.0)


def test_as_quick_as_the_stable_version() -> None:
    look = (spread(100, 60), spread(100, 540))
    bounds = Bounds.of(after(*[look] * 12), GOALS)
    assert bounds.within(1.5)
    assert not bounds.lower >= 1.0


@pytest.mark.parametrize(("slowdown", "looks"), [(2.0, 2), (1.6, 3)])
def test_a_slower_canary_is_worse_soon(slowdown: float, looks: int) -> None:
    look = (spread(100 * slowdown, 50), spread(100, 450))
    bounds = Bounds.of(after(*[look] * (1 + looks)), GOALS)
    assert bounds.worse(1.0, 1.5)
    assert bounds.estimate == pytest.approx(slowdown, rel=0.1)


def test_one_bucket_slower_is_seen_in_the_end() -> None:
    look = (spread(116, 100), spread(100, 900))
    bounds = Bounds.of(after(*[look] * 60), GOALS)
    assert bounds.lower >= 1.0
    assert not bounds.worse(1.0, 1.5)


def test_what_both_versions_share_is_nobodys_fault() -> None:
    """All answers take ten times as long in the hour in which the canary got most requests."""
    looks = [(spread(20, 10), spread(20, 990))] * 5 + [(spread(200, 500), spread(200, 500))] * 10
    test = after(*looks)
    assert test.evidence_above()[SAME] < 0
    assert test.estimate() == pytest.approx(1.0)


def test_everything_in_one_bucket() -> None:
    same = histogram({7: 500})
    bounds = Bounds.of(after(*[(same, same)] * 4), GOALS)
    assert bounds.within(1.5)
    twice = Bounds.of(after(*[(histogram({14: 500}), same)] * 4), GOALS)
    assert twice.worse(1.0, 1.5)


@pytest.mark.parametrize("canary_in_one", [True, False])
@pytest.mark.parametrize("stable_in_one", [True, False])
@pytest.mark.parametrize("sizes", [(50, 450), (5, 45), (500, 500)])
def test_five_times_slower_is_seen_wherever_a_bucket_holds_all_answers(
    sizes: tuple[int, int], stable_in_one: bool, canary_in_one: bool
) -> None:
    """The shares above the edges are then 0 and 1. Bets are on the edge that none exceed: above the
    one that all exceed (whose share is nearer to 5% as a ratio) nothing could be told."""
    measurable = [edge for edge in EDGES if 5 * edge < EDGES[-1]]
    assert len(measurable) > 60
    test = LatencyTest(EDGES, RATIOS, (len(measurable),))
    canary, stable = (
        np.array(
            [
                histogram({factor * edge: requests}) if in_one else spread(factor * edge, requests)
                for edge in measurable
            ]
        )
        for factor, requests, in_one in (
            (5.0, sizes[0], canary_in_one),
            (1.0, sizes[1], stable_in_one),
        )
    )
    for _ in range(8 + 100 // sizes[1]):
        test.observe(canary, stable)
    assert Bounds.of(test, GOALS).worse(1.0, 1.5).all()


def test_quicker_than_the_first_edge_counts_as_taking_it() -> None:
    quick = histogram({0.2: 500})
    assert Bounds.of(after(*[(quick, quick)] * 4), GOALS).within(1.5)
    slow = Bounds.of(after(*[(histogram({2.5: 500}), quick)] * 4), GOALS)
    assert slow.worse(1.0, 1.5)


def test_beyond_the_last_edge_nothing_is_known() -> None:
    hanging = histogram({60_000: 500})
    bounds = Bounds.of(after(*[(hanging, hanging)] * 4), GOALS)
    assert not bounds.within(1.5)
    assert not bounds.worse(1.0, 1.5)
    assert Bounds.of(after(*[(hanging, spread(100, 500))] * 3), GOALS).worse(1.0, 1.5)


def test_the_claim_is_about_the_p95_and_not_about_the_bulk() -> None:
    """6% of the canary's answers hang, the others are as quick as ever."""
    canary = histogram({50: 94, 9000: 6})
    stable = histogram({50: 960, 90: 40})
    bounds = Bounds.of(after(*[(canary, stable)] * 60), GOALS)
    assert not bounds.within(1.5)
    assert bounds.worse(1.0, 1.5)


def test_a_look_in_which_one_version_had_no_request_changes_nothing() -> None:
    look, none = (spread(100, 50), spread(100, 450)), np.zeros(len(EDGES) + 1)
    before, empty = after(look, look), after(look, look, (none, spread(300, 99)), (look[0], none))
    for name in ("slower", "stable_above", "canary_below", "recent", "weight"):
        assert empty.arrays()[name] == pytest.approx(before.arrays()[name])


def test_the_forecast_is_what_it_takes() -> None:
    look = (spread(100, 25), spread(100, 225))
    test = after(look, look)
    forecast = test.requests_until_below(GOALS.within, 0.1)[MARGIN]
    seen = 0
    while not Bounds.of(test, GOALS).within(1.5):
        test.observe(*look)
        seen += 25
    assert seen == pytest.approx(forecast, abs=60)
    assert test.requests_until_below(GOALS.within, 0.1)[MARGIN] == 0
    assert 200 < after().requests_until_below(GOALS.within, 0.1)[MARGIN] < 700


@pytest.mark.parametrize(("first", "last"), [(80.0, 30.0), (30.0, 80.0)])
def test_latencies_that_change_for_both_do_not_hold_a_healthy_canary_up(
    first: float, last: float
) -> None:
    """As at the end of a busy hour, or at its beginning: within 200 s, in looks of 250 requests."""
    random = np.random.default_rng(7)
    decided = []
    for _rollout in range(20):
        test, looks = LatencyTest(EDGES, RATIOS), 0
        while not Bounds.of(test, GOALS).within(1.5) and looks < 60:
            median = first * (last / first) ** min(1.0, looks / 40)
            test.observe(
                histogram_of(median * random.lognormal(0.0, 0.5, 25)),
                histogram_of(median * random.lognormal(0.0, 0.5, 225)),
            )
            looks += 1
        decided.append(looks)
    assert sorted(decided)[17] <= 40, decided
