# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Tally:
    """Requests to one version of one service: attempts, so that retries hide nothing.

    The histogram has one count more than there are edges: count i is of latencies above edge i - 1
    and up to edge i. It may sum to less than the attempts, some of which are still under way.
    """

    attempts: int = 0
    failures: int = 0
    histogram: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if all(map(_is_count, (self.attempts, self.failures, *self.histogram))):
            return
        counts = {"attempts": self.attempts, "failures": self.failures}
        counts |= {f"histogram[{i}]": count for i, count in enumerate(self.histogram)}
        wrong = [f"{name}: got {count!r}" for name, count in counts.items() if not _is_count(count)]
        raise ValueError(f"{'; '.join(wrong)}; expected integers of at least 0")

    def __add__(self, other: Tally) -> Tally:
        if not self.histogram or not other.histogram:
            histogram = self.histogram or other.histogram
        else:
            pairs = zip(self.histogram, other.histogram, strict=True)
            histogram = tuple(mine + theirs for mine, theirs in pairs)
        return Tally(self.attempts + other.attempts, self.failures + other.failures, histogram)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


@dataclass(frozen=True)
class Versions:
    """One service's requests in one look."""

    canary: Tally = Tally()
    stable: Tally = Tally()


@dataclass(frozen=True)
class Look:
    """What happened between two readings, for each service by its name."""

    seconds: float
    services: Mapping[str, Versions]
