# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from math import comb

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.traffic.binomial import (
    Interval,
    clopper_pearson,
)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 5 (Clopper-Pearson), 95%.
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0000, 0.1684),
        (1, 29, 0.0009, 0.1776),
        # By hand: 1 - 0.025 ** (1 / 10), and its mirror image.
        (0, 10, 0.0, 0.3085),
        (10, 10, 0.6915, 1.0),
    ],
)
def test_published_values(hits: int, trials: int, low: float, high: float) -> None:
    interval = clopper_pearson(hits, trials, 0.95)
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


@pytest.mark.parametrize(
    ("hits", "trials", "confidence", "low", "high"),
    [
        # binomtest(hits, trials).proportion_ci(confidence, method="exact") of scipy.stats, recorded
        # because its import takes longer than all of these tests.
        (3, 40, 0.95, 0.015742179851041527, 0.20386474873289898),
        (3, 40, 0.999, 0.0038320721641448355, 0.3040667842071318),
        (3, 40, 0.9999, 0.0017447787806662053, 0.3533090006979544),
        (500, 5000, 0.95, 0.09181987708789309, 0.10865041730499153),
        (500, 5000, 0.999, 0.08655057021769982, 0.114668951800981),
        (500, 5000, 0.9999, 0.0842361795726916, 0.11744424979486018),
        (39, 40, 0.95, 0.8684141415172343, 0.9993672550679098),
        (39, 40, 0.999, 0.7762978978077377, 0.9999874969521217),
        (39, 40, 0.9999, 0.7285087245497308, 0.9999987499695012),
    ],
)
def test_agrees_with_scipy(
    hits: int, trials: int, confidence: float, low: float, high: float
) -> None:
    interval = clopper_pearson(hits, trials, confidence)
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-9)


def test_bounds_are_where_the_tails_are_half_of_alpha() -> None:
    hits, trials, confidence = 7, 50, 0.999
    interval = clopper_pearson(hits, trials, confidence)

    def tail(share: float, counts: range) -> float:
        return sum(comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in counts)

    assert tail(interval.low, range(hits, trials + 1)) == pytest.approx(0.0005, rel=1e-6)
    assert tail(interval.high, range(hits + 1)) == pytest.approx(0.0005, rel=1e-6)


def test_zero_is_contained_only_without_a_hit() -> None:
    assert clopper_pearson(0, 5000, 0.999).contains(0.0)
    assert not clopper_pearson(1, 5000, 0.999).contains(0.0)
    assert clopper_pearson(5000, 5000, 0.999).contains(1.0)
    assert not clopper_pearson(4999, 5000, 0.999).contains(1.0)


def test_without_trials_nothing_is_excluded() -> None:
    assert clopper_pearson(0, 0, 0.999) == Interval(0.0, 1.0)


@pytest.mark.parametrize("arguments", [(-1, 5, 0.9), (6, 5, 0.9), (1, 5, 1.0), (1, 5, 0.0)])
def test_nonsense_is_refused(arguments: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match=r"between 0 and"):
        clopper_pearson(*arguments)
