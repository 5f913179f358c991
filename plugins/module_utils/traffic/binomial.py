# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A closed interval of shares, each between 0 and 1."""

    low: float
    high: float

    def contains(self, share: float) -> bool:
        return self.low <= share <= self.high


def clopper_pearson(hits: int, trials: int, confidence: float) -> Interval:
    """The exact two-sided interval for a share of which `hits` of `trials` were seen.

    With no trials nothing is excluded. For 0 hits the lower bound is exactly 0 and for
    hits == trials the upper bound exactly 1, and in no other case: a share that must be
    exactly 0 (or 1) is therefore refuted by a single hit (or miss), and needs no rule of its own.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"hits must lie between 0 and trials ({trials}), got {hits}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    # Not scipy.stats: this is the function behind its beta.ppf, and the import costs a third. Here,
    # because modules have to be importable without it.
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = float(betaincinv(hits, trials - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1 - tail)) if hits < trials else 1.0
    return Interval(low, high)
