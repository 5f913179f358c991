# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""That no bet wins on average when the null hypothesis is true: by going through every outcome."""

from __future__ import annotations

from itertools import product
from math import comb, log, prod

import numpy as np
import numpy.typing as npt
import pytest
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.betting import (
    Portfolio,
    mean_bet,
    odds_bet,
    scales,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.failures import FailureTest

ROUNDING = 1 + 1e-9
Counts = tuple[float, float, float, float]
# Requests and probability of a failure: of the canary, then of the stable version.
Setting = tuple[int, float, int, float]


def outcomes(setting: Setting) -> list[tuple[float, Counts]]:
    """Every look that can come out, and its probability."""
    n_c, p_c, n_s, p_s = setting

    def chance(n: int, f: int, p: float) -> float:
        return float(comb(n, f) * p**f * (1 - p) ** (n - f))

    return [
        (chance(n_c, f_c, p_c) * chance(n_s, f_s, p_s), (n_c, f_c, n_s, f_s))
        for f_c, f_s in product(range(n_c + 1), range(n_s + 1))
    ]


def mean_payout(
    grid: list[float], *settings: Setting
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The mean of both e-processes after these looks, for each difference: of every outcome."""
    paths = list(product(*(outcomes(setting) for setting in settings)))
    chances = np.array([prod(chance for chance, _ in path) for path in paths])
    test = FailureTest(np.array(grid), (len(paths),))
    for look in range(len(settings)):
        test.observe(*np.array([path[look][1] for path in paths], dtype=float).T)
    return chances @ np.exp(test.evidence_above()), chances @ np.exp(test.evidence_below())


def odds(counts: Counts, *ratios: float) -> list[float]:
    arrays = (np.array(float(count)) for count in counts)
    return [float(x) for x in np.exp(odds_bet(*arrays, np.array(ratios)))]


def test_odds_bet_by_hand() -> None:
    # One request each, one failure: with odds 3 it was the canary's with probability 3/4, not 1/2.
    assert odds((1, 1, 1, 0), 1.0, 3.0) == pytest.approx([1.0, 1.5])
    assert odds((1, 0, 1, 1), 1.0, 3.0) == pytest.approx([1.0, 0.5])
    # Three of ten requests are the canary's, both failures too: 3 of 45 ways, each worth 25; the
    # mean is (21 + 21 * 5 + 3 * 25) / 45.
    assert odds((3, 2, 7, 0), 5.0) == pytest.approx([25 / ((21 + 105 + 75) / 45)])
    # Ever higher odds pay one over the canary's share of the hits' places.
    assert odds((3, 2, 7, 0), 1e9) == pytest.approx([45 / 3])


@pytest.mark.parametrize("hits", [100, 140, 150, 400])
def test_odds_bets_of_many_hits_are_exact(hits: int) -> None:
    """Below and above the size from which on only logarithms are in range."""
    n_c, n_s, odds_ratio = 500, 700, 60
    ways = [comb(n_c, part) * comb(n_s, hits - part) for part in range(hits + 1)]
    # Of whole numbers of any size, so that nothing is rounded before the end.
    total = sum(way * odds_ratio**part for part, way in enumerate(ways))
    mean = log(total) - log(comb(n_c + n_s, hits))
    for canary_hits in (0, hits // 2, hits):
        counts = (np.array(float(x)) for x in (n_c, canary_hits, n_s, hits - canary_hits))
        paid = odds_bet(*counts, np.array([1.0, odds_ratio]))
        assert paid == pytest.approx([0.0, canary_hits * log(odds_ratio) - mean], abs=1e-7)


@pytest.mark.parametrize("sizes", [(1, 1), (2, 7), (6, 3), (5, 5)])
@pytest.mark.parametrize("p_s", [0.0, 0.03, 0.4, 1.0])
def test_odds_bets_pay_one_on_average_at_equal_rates_and_less_below(
    sizes: tuple[int, int], p_s: float
) -> None:
    for factor in (1.0, 0.7, 0.0):
        paid = sum(
            chance * np.array(odds(counts, 1.3, 4.0, 60.0))
            for chance, counts in outcomes((sizes[0], factor * p_s, sizes[1], p_s))
        )
        assert (paid <= ROUNDING).all()
        if factor == 1.0:
            assert paid == pytest.approx(1.0)


def test_mean_bet_by_hand() -> None:
    paid = mean_bet(np.array(3.0), np.array(1.0), 0.25, np.array([0.8]))
    assert paid == pytest.approx([log((1 + 0.8 * 0.75) * (1 - 0.8 * 0.25) ** 2)])


def test_scales_add_up_and_a_look_with_one_version_weighs_nothing() -> None:
    weight, canary, stable = scales(np.array([50.0, 0.0, 7.0]), np.array([450.0, 9.0, 0.0]))
    assert weight == pytest.approx([45.0, 0.0, 0.0])
    assert canary == pytest.approx([0.9, 1.0, 0.0])
    assert weight[0] / 50 == pytest.approx(canary[0])
    assert weight[0] / 450 == pytest.approx(stable[0])


GRID = [-0.5, -0.1, 0.0, 0.02, 0.3, 1.0]


@pytest.mark.parametrize("sizes", [(1, 1), (2, 6), (6, 2), (1, 9)])
@pytest.mark.parametrize("p_s", [0.0, 0.01, 0.3, 0.9])
@pytest.mark.parametrize("p_c", [0.0, 0.01, 0.03, 0.3, 0.6, 1.0])
def test_no_bet_on_a_difference_wins_on_average_whatever_the_base_rate(
    sizes: tuple[int, int], p_s: float, p_c: float
) -> None:
    # The true difference is in the grid as well.
    grid = [*GRID, p_c - p_s]
    above, below = mean_payout(grid, (sizes[0], p_c, sizes[1], p_s))
    for i, d in enumerate(grid):
        if p_c - p_s <= d:
            assert above[i] <= ROUNDING, d
        if p_c - p_s >= d:
            assert below[i] <= ROUNDING, d


@pytest.mark.parametrize("shift", [0.05, 0.2])
def test_claims_below_a_margin_speak_of_the_average_over_looks(shift: float) -> None:
    """Better in one look and worse in the next by the looks' weights: on average at the margin."""
    d, sizes = 0.3, ((4, 2), (2, 6))
    weights = [n_c * n_s / (n_c + n_s) for n_c, n_s in sizes]
    _, below = mean_payout(
        [d],
        (sizes[0][0], 0.25 + d - shift, sizes[0][1], 0.25),
        (sizes[1][0], 0.3 + d + shift * weights[0] / weights[1], sizes[1][1], 0.3),
    )
    assert below[0] <= ROUNDING


def test_claims_stay_fair_over_looks_with_other_base_rates_and_sizes() -> None:
    looks = [(2, 4, 0.1), (3, 2, 0.6), (2, 3, 0.02), (1, 2, 0.3)]
    above, below = mean_payout([0.0], *((n_c, p, n_s, p) for n_c, n_s, p in looks))
    assert above[0] <= ROUNDING
    assert below[0] <= ROUNDING


def test_rebalancing_keeps_the_total_and_revives_what_lost() -> None:
    portfolio = Portfolio((), {1.0: 0.5, 2.0: 0.5})
    portfolio.pay(np.array(True), np.array([0.0, -50.0]))
    before = portfolio.total()
    portfolio.rebalance(np.array(True), 0.1)
    assert portfolio.total() == pytest.approx(before)
    assert np.exp(portfolio.capital) == pytest.approx([0.475, 0.025])
    portfolio.rebalance(np.array(False), 0.1)
    assert np.exp(portfolio.capital) == pytest.approx([0.475, 0.025])
