# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Latency: how many times the stable version's p95 of the same minutes is the canary's?

Before each look, edges of the histogram are chosen as limits from what earlier looks showed. Which
requests are slower than an edge is known exactly, so each limit turns latencies into hits:

- `slower`, for each ratio r, against "in no look is the canary likelier to exceed r times the
  limit than the stable version is to exceed the limit" (the first edge above its p95): bets on
  odds, as for failures;
- `stable_above` and `canary_below`, for each ratio r: confidence sequences on the distribution
  functions at a limit and at r times that limit, as in Howard and Ramdas (arXiv 1906.09712) and
  Lindon, Sanden and Shirikian (arXiv 2205.14762), here averaged over looks with one weight for both
  versions. If more than 5% of the stable's requests exceed the limit and fewer than 5% of the
  canary's exceed r times it, the canary's p95 is below r times the stable's.

Requests quicker than the first edge count as taking it, and nothing is known beyond the last.
"""

from __future__ import annotations

import numpy as np
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.betting import (
    Array,
    Bools,
    Ints,
    Portfolio,
    mean_bet,
    odds_bet,
    scales,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.failures import (
    HALF_LIFE,
    ODDS,
    SPREAD,
)

TAIL = 0.05
# Stakes, in units of a request's scale; -1 / (1 - TAIL) and 1 / TAIL are the bounds.
_STABLE_ABOVE = {0.3: 0.1, 1.0: 0.2, 3.0: 0.5, 9.0: 0.2}
_CANARY_BELOW = {-0.2: 0.1, -0.4: 0.15, -0.65: 0.75}
# Of the allowed error, which part the claim about the stable version takes. It has more requests.
STABLE_PART = 0.1
# Stable requests that are looked at before the first bet, to know where its p95 is.
LEARNED = 100.0
# Limits are chosen by the latest stable requests: after so many, one counts half. What was slower
# minutes ago would choose limits that nothing exceeds any more.
LATELY = 150.0
# Of the share that exceeds a limit, worth so many requests are drawn towards TAIL.
_CAUTION = 5.0
# Shares above a limit and above a ratio's multiple of it, as long as nothing is known: log-normal
# latencies with sigma 0.5 and a ratio of 1.5.
_GUESSED_STABLE, _GUESSED_CANARY = 0.075, 0.016


class LatencyTest:
    """What the latencies of one service have shown so far, against a grid of ratios."""

    # The ratio of a canary that is like the stable version.
    neutral = 1.0

    def __init__(self, edges: Array, ratios: Array, batch: tuple[int, ...] = ()) -> None:
        self.edges = edges
        self.grid = ratios
        # Limits by index: 0 is exceeded by all, i is edge i - 1, the one after the last by none.
        self.limits: Array = np.concatenate([edges[:1], edges])
        multiples = ratios[:, None] * self.limits
        rounding = 1 + 1e-9
        self._at_least: Ints = 1 + np.searchsorted(edges * rounding, multiples)
        self._at_most: Ints = np.searchsorted(edges, multiples * rounding, side="right")
        shape = (*batch, len(ratios))
        self.slower = Portfolio(shape, ODDS)
        self.stable_above = Portfolio(shape, _STABLE_ABOVE)
        self.canary_below = Portfolio(shape, _CANARY_BELOW)
        # Weight of the looks; that weight times the share above each limit, canary and stable.
        self.weight: Array = np.zeros(batch)
        self.recent: Array = np.zeros((*batch, 2, len(edges) + 2))
        self.learned: Array = np.zeros(batch)
        # The latest stable requests above each limit.
        self.lately: Array = np.zeros((*batch, len(edges) + 2))

    def observe(self, canary: Array, stable: Array) -> None:
        """Take in one look: histograms with one count more than there are edges."""
        exceeding, stable_exceeding = _exceeding(canary), _exceeding(stable)
        requests, stable_requests = exceeding[..., 0], stable_exceeding[..., 0]
        weight, canary_scale, stable_scale = scales(requests, stable_requests)
        live = (weight > 0) & (self.learned >= LEARNED)
        if live.any():
            self._bet_on_slower(live, exceeding, stable_exceeding)
            self._bet_on_within(live, exceeding, stable_exceeding, canary_scale, stable_scale)
        keep = 0.5 ** (weight / HALF_LIFE)
        shares = (
            exceeding / np.maximum(requests, 1)[..., None],
            stable_exceeding / np.maximum(stable_requests, 1)[..., None],
        )
        now = weight[..., None, None] * np.stack(shares, axis=-2)
        self.recent = self.recent * keep[..., None, None] + now
        self.weight = self.weight * keep + weight
        self.learned = self.learned * keep + stable_requests
        faded = 0.5 ** (stable_requests / LATELY)
        self.lately = self.lately * faded[..., None] + stable_exceeding

    def _stable_shares(self) -> Array:
        """Shares of the stable's latest requests above each limit; near TAIL where they are few."""
        requests = self.lately[..., :1]
        shares: Array = (self.lately + _CAUTION * TAIL) / (requests + _CAUTION)
        return shares

    def _bet_on_slower(self, live: Bools, exceeding: Array, stable_exceeding: Array) -> None:
        shares = self.recent[..., 1, 1:-1] / np.maximum(self.weight, 1e-9)[..., None]
        # The first edge that no more than 5% exceed; the last one if there is none.
        rare = shares <= TAIL
        limit = 1 + np.where(rare.any(axis=-1), rare.argmax(axis=-1), len(self.edges) - 1)
        hits = np.take_along_axis(exceeding, self._at_least.T[limit], axis=-1)
        stable_hits = np.take_along_axis(stable_exceeding, limit[..., None], axis=-1)
        stable_hits = np.broadcast_to(stable_hits, hits.shape)
        canary = np.broadcast_to(exceeding[..., :1], hits.shape)
        stable = np.broadcast_to(stable_exceeding[..., :1], hits.shape)
        both = hits + stable_hits
        telling = live[..., None] & (both > 0) & (both < canary + stable)
        odds = self.slower.alternatives
        self.slower.pay(telling, odds_bet(canary, hits, stable, stable_hits, odds))
        self.slower.rebalance(telling, SPREAD)

    def _bet_on_within(
        self,
        live: Bools,
        exceeding: Array,
        stable_exceeding: Array,
        canary_scale: Array,
        stable_scale: Array,
    ) -> None:
        limit, multiple, promising = self._limits_to_bet_on(canary_scale, stable_scale)
        placed = live[..., None] & promising
        for portfolio, counts, at, scale in (
            (self.stable_above, stable_exceeding, limit, stable_scale),
            (self.canary_below, exceeding, multiple, canary_scale),
        ):
            hits = np.take_along_axis(counts, at, axis=-1)[..., None]
            requests = counts[..., 0][..., None, None]
            stake = portfolio.alternatives * scale[..., None, None]
            portfolio.pay(placed, mean_bet(requests, hits, TAIL, stake))

    def _limits_to_bet_on(
        self, canary_scale: Array, stable_scale: Array
    ) -> tuple[Ints, Ints, Bools]:
        """For each ratio, the limit and its multiple that should decide soonest if the canary is
        like the stable version: the one for which the slower of the two claims grows quickest."""
        shares = self._stable_shares()
        growth = _divergence(shares)
        stable = (
            np.where(shares > TAIL, growth, 0.0)[..., :-1]
            / np.maximum(stable_scale, 1e-9)[..., None]
        )
        canary = np.where(shares < TAIL, growth, 0.0) / np.maximum(canary_scale, 1e-9)[..., None]
        both = np.minimum(stable[..., None, :], canary[..., self._at_most])
        limit = np.argmax(both, axis=-1)
        promising = np.take_along_axis(both, limit[..., None], axis=-1)[..., 0] > 0
        return limit, self._at_most[np.arange(len(self.grid)), limit], promising

    def quantiles(self) -> tuple[Array, Array]:
        """Recent p95 of the canary and of the stable version over the same looks, in ms."""
        weight = np.maximum(self.weight, 1e-9)[..., None]
        canary, stable = (self._quantile(self.recent[..., v, :] / weight) for v in (0, 1))
        return canary, stable

    def _quantile(self, shares: Array) -> Array:
        """Interpolated between edges on the logarithmic scale; beyond the last, just beyond it."""
        limits = np.append(self.limits, self.edges[-1] * self.edges[-1] / self.edges[-2])
        below = np.clip((shares >= TAIL).sum(axis=-1) - 1, 0, len(self.edges))[..., None]
        high = np.take_along_axis(shares, below, axis=-1)[..., 0]
        low = np.take_along_axis(shares, below + 1, axis=-1)[..., 0]
        way = np.where(high > low, (high - TAIL) / np.maximum(high - low, 1e-12), 0.0)
        start, end = limits[below[..., 0]], limits[below[..., 0] + 1]
        quantile: Array = start * (end / start) ** np.clip(way, 0, 1)
        return quantile

    def estimate(self) -> Array:
        canary, stable = self.quantiles()
        return canary / stable

    def evidence_above(self) -> Array:
        """For each ratio, the logarithm of the e-process against "at most this"."""
        return self.slower.total()

    def evidence_below(self) -> Array:
        """For each ratio, the logarithm of the smaller of the two claims' evidence against "at
        least this", each multiplied by its part of the allowed error."""
        stable = self.stable_above.total() + np.log(STABLE_PART)
        evidence: Array = np.minimum(stable, self.canary_below.total() + np.log(1 - STABLE_PART))
        return evidence

    def requests_until_below(self, goal: float, share: float) -> Array:
        """For each ratio, the canary requests until `evidence_below` reaches the goal.

        That is if the canary gets this share of all requests and latencies stay as they were
        lately; as long as nothing is known of them, a guess.
        """
        scale = np.full_like(self.weight, share)
        stable_share, canary_share = self._expected_shares(1 - scale, scale)
        others = (1 - share) / share
        growth = mean_bet(
            np.ones(1), canary_share[..., None], TAIL, self.canary_below.alternatives * (1 - share)
        )
        needed = self.canary_below.requests_until(goal - np.log(1 - STABLE_PART), growth)
        growth = others * mean_bet(
            np.ones(1), stable_share[..., None], TAIL, self.stable_above.alternatives * share
        )
        by_stable = self.stable_above.requests_until(goal - np.log(STABLE_PART), growth)
        learning = np.maximum(LEARNED - self.learned, 0.0) / others
        return np.maximum(needed, by_stable) + learning[..., None]

    def _expected_shares(self, canary_scale: Array, stable_scale: Array) -> tuple[Array, Array]:
        """Shares above the limits that would be bet on now, of the stable and of the canary."""
        limit, multiple, promising = self._limits_to_bet_on(canary_scale, stable_scale)
        seen = (self.learned >= LEARNED) & (self.weight > 0)
        known = promising & seen[..., None]
        weight = np.maximum(self.weight, 1e-9)[..., None]
        canary, stable = (self.recent[..., v, :] / weight for v in (0, 1))
        # The canary's share, drawn to the stable's where it is hardly known.
        canary = (canary * weight + stable * LEARNED) / (weight + LEARNED)
        return (
            np.where(known, np.take_along_axis(stable, limit, axis=-1), _GUESSED_STABLE),
            np.where(known, np.take_along_axis(canary, multiple, axis=-1), _GUESSED_CANARY),
        )

    def arrays(self) -> dict[str, Array]:
        """The whole state, to be kept."""
        return {
            "slower": self.slower.capital,
            "stable_above": self.stable_above.capital,
            "canary_below": self.canary_below.capital,
            "weight": self.weight,
            "recent": self.recent,
            "learned": self.learned,
            "lately": self.lately,
        }

    def restore(self, arrays: dict[str, Array]) -> None:
        self.slower.capital = arrays["slower"]
        self.stable_above.capital = arrays["stable_above"]
        self.canary_below.capital = arrays["canary_below"]
        self.weight = arrays["weight"]
        self.recent = arrays["recent"]
        self.learned = arrays["learned"]
        self.lately = arrays["lately"]


def _exceeding(histogram: Array) -> Array:
    """How many requests exceed each limit."""
    requests = histogram.sum(axis=-1, keepdims=True)
    above = requests - np.cumsum(histogram, axis=-1)
    return np.concatenate([requests, above], axis=-1).astype(float)


def _divergence(shares: Array) -> Array:
    """How quickly a claim about a share grows: its relative entropy to TAIL."""
    p = np.clip(shares, 1e-9, 1 - 1e-9)
    growth: Array = p * np.log(p / TAIL) + (1 - p) * np.log((1 - p) / (1 - TAIL))
    return growth
