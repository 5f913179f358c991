# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The two bets from which every test is built; docs/statistics.md proves what is claimed here.

A bet is placed before a look is read. If the null hypothesis is true it pays back, on average, at
most its stake. The capital after many looks is then an e-process: it exceeds 1/a at some time with
a probability of at most a (Ville's inequality), however often one looks.

All pay-outs are logarithms. Arrays may have leading dimensions: rollouts that are simulated side
by side. A real rollout has none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]


def scales(canary: Array, stable: Array) -> tuple[Array, Array, Array]:
    """The weight of a look with so many requests, and what one request of each version counts.

    A look weighs w = n_c n_s / (n_c + n_s): one in which a version had no request says nothing.
    One request counts w / n of its own version's n, which is the other version's share.
    """
    both = np.maximum(canary + stable, 1.0)
    return canary * stable / both, stable / both, canary / both


def odds_bet(
    canary: Array, canary_hits: Array, stable: Array, stable_hits: Array, odds: Array
) -> Array:
    """Bets against "a hit is no likelier on the canary", one for each odds ratio (>= 1).

    Given how many hits a look had, the canary's part of them is hypergeometric if a hit is equally
    likely on both, whatever the base rate is. A bet pays the likelihood ratio of Fisher's
    noncentral hypergeometric distribution to the central one. It grows with the canary's hits, so
    its mean is at most 1 for every odds ratio up to 1 too.
    """
    hits = canary_hits + stable_hits
    n_c, n_s, m = canary[..., None], stable[..., None], hits[..., None]
    parts = np.arange(int(np.minimum(hits, canary).max(initial=0)) + 1, dtype=float)
    possible = (parts <= np.minimum(n_c, m)) & (m - parts <= n_s)
    ways = np.where(possible, _log_choose(n_c, parts) + _log_choose(n_s, m - parts), -np.inf)
    log_odds = np.log(odds)
    payout: Array = canary_hits[..., None] * log_odds - _log_mean(ways, parts, log_odds)
    return payout


# What a product may be so that no number overflows, and none that matters is lost: a logarithm.
_SAFE = 600.0


def _log_mean(ways: Array, parts: Array, log_odds: Array) -> Array:
    """The logarithms of the means of odds ** parts, where ways are logarithms of frequencies."""
    tilts = log_odds[:, None] * parts
    if tilts.max(initial=0.0) > _SAFE:
        return _log_sum(ways[..., None, :] + tilts) - _log_sum(ways)[..., None]
    # The same as a matrix product, which takes a third of the time.
    frequencies = np.exp(ways - ways.max(axis=-1, keepdims=True))
    means = (frequencies @ np.exp(tilts.T)) / frequencies.sum(axis=-1, keepdims=True)
    log_means: Array = np.log(means)
    return log_means


def _log_sum(logarithms: Array) -> Array:
    """The logarithm of the sum along the last dimension; scipy's takes four times as long."""
    most = logarithms.max(axis=-1, keepdims=True)
    total: Array = most[..., 0] + np.log(np.exp(logarithms - most).sum(axis=-1))
    return total


def _log_choose(n: Array, k: Array) -> Array:
    inside = np.clip(k, 0, n)
    ways: Array = gammaln(n + 1) - gammaln(inside + 1) - gammaln(n - inside + 1)
    return ways


def mean_bet(requests: Array, hits: Array, centre: Array | float, stake: Array) -> Array:
    """Each request pays 1 + stake (y - centre), where y is 1 for a hit and else 0.

    A request that hits with probability p pays 1 + stake (p - centre) on average, which is at most
    exp(stake (p - centre)), and n of them at most exp(n stake (p - centre)). Whoever bets chooses
    stakes for which these exponents add up to at most 0 if the null hypothesis is true. No stake
    may be so high that one request could cost everything: -1 / (1 - centre) < stake < 1 / centre.
    """
    payout: Array = hits * np.log1p(stake * (1 - centre)) + (requests - hits) * np.log1p(
        -stake * centre
    )
    return payout


class Portfolio:
    """Capital spread over bets on several alternatives (the last dimension), as logarithms."""

    def __init__(self, shape: tuple[int, ...], prior: Mapping[float, float]) -> None:
        """`prior` says which part of the capital, 1 in all, each alternative begins with."""
        self.alternatives: Array = np.array(list(prior))
        self.log_prior: Array = np.log(np.array(list(prior.values())))
        self.capital: Array = np.zeros((*shape, len(prior))) + self.log_prior

    def total(self) -> Array:
        """The logarithm of the e-process."""
        return _log_sum(self.capital)

    def pay(self, placed: Bools, payout: Array) -> None:
        """Add the pay-out where the bet was placed."""
        self.capital = self.capital + np.where(placed[..., None], payout, 0.0)

    def rebalance(self, placed: Bools, share: float) -> None:
        """Where a bet was placed, spread this share of the capital anew, as in the beginning.

        An alternative that lost for hours (the canary was healthy) then has something to bet with
        when it comes true. The total doesn't change, and it is done before the next look.
        """
        pool = self.total()[..., None] + np.log(share) + self.log_prior
        spread = np.logaddexp(self.capital + np.log1p(-share), pool)
        self.capital = np.where(placed[..., None], spread, self.capital)

    def requests_until(self, goal: float, growth: Array) -> Array:
        """How many requests until the total is `goal`, if each alternative's bet grows so much
        with each request. Infinite where none grows. The best alternative alone gets there."""
        growing = growth > 0
        left = np.maximum(goal - self.capital, 0.0)
        each = np.where(growing, left / np.where(growing, growth, 1.0), np.inf)
        needed: Array = np.where(self.total() >= goal, 0.0, each.min(axis=-1))
        return needed
