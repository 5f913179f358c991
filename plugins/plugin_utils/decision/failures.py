# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Failure rates: is the canary's higher than the stable version's of the same minutes?

Three e-processes, stratified by look, so that base rates may change from look to look at will:

- `worse`, against "in no look is a failure likelier on the canary": Fisher's exact test made
  sequential, bets on the odds ratio given all failures of the look, as in Lindon and Malek
  (arXiv 2011.03567) and, stratified, Turner and Grünwald (arXiv 2302.11401);
- `above`, for each d, against "in no look is the difference canary - stable greater than d";
- `below`, for each d, against "over the looks the difference is on average d or more".

The last two bet on means (Waudby-Smith and Ramdas, arXiv 2010.09686), with opposite stakes on the
two versions, whose sizes make the unknown base rate cancel. Assumed: in a look, given how many
requests each version got, requests fail independently of each other. Nothing is assumed of rates.
"""

from __future__ import annotations

import numpy as np
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.betting import (
    Array,
    Portfolio,
    mean_bet,
    odds_bet,
    scales,
)

# Odds ratios to bet on; 1 is money that is kept.
ODDS = {1.0: 0.1, 1.3: 0.15, 1.8: 0.15, 3.0: 0.15, 6.0: 0.15, 15.0: 0.15, 60.0: 0.15}
# Of the capital of bets on odds, what is spread anew after each look.
SPREAD = 0.01
# Stakes, in units of a request's scale.
_ABOVE = {0.1: 0.2, 0.3: 0.2, 0.9: 0.2, 2.7: 0.2, 8.0: 0.2}
_BELOW = {0.1: 0.1, 0.25: 0.1, 0.5: 0.15, 0.75: 0.25, 0.999: 0.4}
# The estimate forgets: after so much weight of looks (about as many canary requests) a look counts
# half. A canary that breaks after hours of health is then seen for what it is now.
HALF_LIFE = 500.0
# What is guessed of base rates before anything is known: 0.2%, worth a hundred requests.
_GUESSED_REQUESTS, _GUESSED_FAILURES = 100.0, 0.2
_MOST_OF_THE_STAKE = 0.95


class FailureTest:
    """What the requests of one service have shown so far, against a grid of differences."""

    # The difference of a canary that is like the stable version.
    neutral = 0.0

    def __init__(self, differences: Array, batch: tuple[int, ...] = ()) -> None:
        self.grid = differences
        shape = (*batch, len(differences))
        self.worse = Portfolio(batch, ODDS)
        self.above = Portfolio(shape, _ABOVE)
        self.below = Portfolio(shape, _BELOW)
        # Weight of the looks, and that weight times the rate of the canary and of the stable.
        self.recent: Array = np.zeros((*batch, 3))
        # Requests and failures of both versions together.
        self.pooled: Array = np.zeros((*batch, 2))

    def observe(self, canary: Array, failed: Array, stable: Array, stable_failed: Array) -> None:
        """Take in one look: requests and failures of the canary, then of the stable version."""
        weight, canary_scale, stable_scale = scales(canary, stable)
        hits = failed + stable_failed
        # A look in which none or all failed says nothing about odds.
        telling = (weight > 0) & (hits > 0) & (hits < canary + stable)
        odds = self.worse.alternatives
        self.worse.pay(telling, odds_bet(canary, failed, stable, stable_failed, odds))
        self.worse.rebalance(telling, SPREAD)

        counts = (canary, failed, stable, stable_failed)
        for portfolio, sign in ((self.above, 1.0), (self.below, -1.0)):
            payout = self._difference_bet(portfolio, sign, counts, canary_scale, stable_scale)
            portfolio.pay((weight > 0)[..., None], payout)

        keep = (0.5 ** (weight / HALF_LIFE))[..., None]
        rates = failed / np.maximum(canary, 1), stable_failed / np.maximum(stable, 1)
        now = np.stack([weight, weight * rates[0], weight * rates[1]], axis=-1)
        self.recent = self.recent * keep + now
        self.pooled = self.pooled * keep + np.stack([canary + stable, hits], axis=-1)

    def _difference_bet(
        self,
        portfolio: Portfolio,
        sign: float,
        counts: tuple[Array, Array, Array, Array],
        canary_scale: Array,
        stable_scale: Array,
    ) -> Array:
        """Pay-outs for each difference d and stake: that it is above d (sign 1) or below (-1).

        The centres of the two bets are rates that differ by d and suit what was pooled from earlier
        looks. Any two such rates are valid; near ones make the capital grow.
        """
        pooled_requests = self.pooled[..., 0] + _GUESSED_REQUESTS
        base = (self.pooled[..., 1] + _GUESSED_FAILURES) / pooled_requests
        d = self.grid
        stable_centre = np.clip(
            base[..., None] - d * stable_scale[..., None], np.maximum(0, -d), np.minimum(1, 1 - d)
        )[..., None]
        canary_centre = stable_centre + d[:, None]
        on_canary, on_stable = _wide(canary_scale), _wide(stable_scale)
        stake: Array = sign * portfolio.alternatives
        if sign > 0:
            # A stake above 1 is cut to what this look allows, so that what was won by it speaks of
            # every look and not of their average. `below` has none of these.
            cost = np.maximum(on_canary * canary_centre, on_stable * (1 - stable_centre))
            stake = np.minimum(stake, _MOST_OF_THE_STAKE / np.maximum(cost, 1e-9))
        canary, failed, stable, stable_failed = (_wide(count) for count in counts)
        payout = mean_bet(canary, failed, canary_centre, stake * on_canary)
        return payout + mean_bet(stable, stable_failed, stable_centre, -stake * on_stable)

    def rates(self) -> tuple[Array, Array]:
        """Recent rates of the canary and of the stable version, over the same looks."""
        weight = np.maximum(self.recent[..., 0], 1e-9)
        return self.recent[..., 1] / weight, self.recent[..., 2] / weight

    def estimate(self) -> Array:
        canary, stable = self.rates()
        return canary - stable

    def evidence_above(self) -> Array:
        """For each difference, the logarithm of the e-process against "at most this".

        `worse` refutes every difference up to 0, so there the two share the capital.
        """
        means = self.above.total()
        both = np.logaddexp(self.worse.total()[..., None], means) - np.log(2)
        evidence: Array = np.where(self.grid <= 0, both, means)
        return evidence

    def evidence_below(self) -> Array:
        """For each difference, the logarithm of the e-process against "at least this"."""
        return self.below.total()

    def requests_until_below(self, goal: float, share: float) -> Array:
        """For each difference, the canary requests until `evidence_below` reaches the goal.

        That is if the canary gets this share of all requests and rates stay as they were lately;
        a canary that is hardly known yet is taken to be like the stable version.
        """
        canary_rate, stable_rate = self.rates()
        weight = self.recent[..., 0]
        canary_rate = (weight * canary_rate + _GUESSED_REQUESTS * stable_rate) / (
            weight + _GUESSED_REQUESTS
        )
        one, others = np.ones_like(weight), np.full_like(weight, (1 - share) / share)
        counts = (one, canary_rate, others, others * stable_rate)
        scale = np.full_like(weight, share)
        growth = self._difference_bet(self.below, -1.0, counts, 1 - scale, scale)
        return self.below.requests_until(goal, growth)

    def arrays(self) -> dict[str, Array]:
        """The whole state, to be kept."""
        return {
            "worse": self.worse.capital,
            "above": self.above.capital,
            "below": self.below.capital,
            "recent": self.recent,
            "pooled": self.pooled,
        }

    def restore(self, arrays: dict[str, Array]) -> None:
        self.worse.capital = arrays["worse"]
        self.above.capital = arrays["above"]
        self.below.capital = arrays["below"]
        self.recent = arrays["recent"]
        self.pooled = arrays["pooled"]


def _wide(values: Array) -> Array:
    """Room for differences and stakes behind the rollouts."""
    return values[..., None, None]
