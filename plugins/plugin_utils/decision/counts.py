# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From counters that only grow to what happened between two readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ansible_collections.roost.cluster.plugins.plugin_utils.decision.looks import (
    Look,
    Tally,
    Versions,
)

# After so many readings without it, only a source's name is remembered.
_FORGET_AFTER = 10
# In seconds, a little less than it takes, as looks that are meant to be that long are.
SHOWN_WITHIN = 4.5


class Source(NamedTuple):
    """One life of one proxy: its counters begin at 0 with it."""

    uid: str
    # When its container started, in seconds since 1970 by the cluster's clock.
    started: float


class Subset(NamedTuple):
    service: str
    version: str


Reading = Mapping[Source, Mapping[Subset, Tally]]


@dataclass
class _Seen:
    counts: dict[Subset, Tally]
    absent: int = 0
    forgotten: bool = False


class Counters:
    """What each proxy showed last. A proxy that vanished keeps that, should it come back."""

    def __init__(self) -> None:
        self.read_at: float | None = None
        self.seen: dict[Source, _Seen] = {}

    def take(self, reading: Reading, at: float) -> dict[Subset, Tally]:
        """What was counted since the last reading, for each subset; nothing at the first one."""
        if self.read_at is not None and at < self.read_at:
            raise ValueError(f"reading: got the time {at}; expected one after {self.read_at}")
        grown: dict[Subset, Tally] = {}
        for source, counts in reading.items():
            for subset, tally in counts.items():
                new = self._grown(source, subset, tally)
                grown[subset] = grown.get(subset, Tally()) + new
        self._remember(reading)
        self.read_at = at
        return grown

    def _grown(self, source: Source, subset: Subset, now: Tally) -> Tally:
        seen = self.seen.get(source)
        if seen is None:
            # All that a proxy counted which started since the last reading is new. What an older
            # one counted, that is seen only now, can't be told apart by looks.
            young = self.read_at is not None and source.started >= self.read_at
            return now if young else Tally()
        if seen.forgotten:
            return Tally()
        # A subset that this proxy didn't know at the last reading began at 0 since.
        before = seen.counts.get(subset, Tally())
        return _difference(before, now)

    def _remember(self, reading: Reading) -> None:
        for source, counts in reading.items():
            known = self.seen.get(source)
            earlier = {} if known is None else known.counts
            self.seen[source] = _Seen({**earlier, **counts})
        for source, seen in self.seen.items():
            if source not in reading:
                seen.absent += 1
                if seen.absent >= _FORGET_AFTER:
                    seen.forgotten = True
                    seen.counts = {}

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it; histograms only where they count something."""
        return {
            "read_at": self.read_at,
            "sources": [
                {
                    "uid": source.uid,
                    "started": source.started,
                    "absent": seen.absent,
                    "forgotten": seen.forgotten,
                    "counts": [
                        [*subset, tally.attempts, tally.failures, *_sparse(tally.histogram)]
                        for subset, tally in seen.counts.items()
                    ],
                }
                for source, seen in self.seen.items()
            ],
        }

    @classmethod
    def from_dict(cls, block: Mapping[str, Any]) -> Counters:
        counters = cls()
        counters.read_at = block["read_at"]
        for item in block["sources"]:
            counts = {
                Subset(service, version): Tally(attempts, failures, _dense(size, filled))
                for service, version, attempts, failures, size, filled in item["counts"]
            }
            source = Source(item["uid"], item["started"])
            counters.seen[source] = _Seen(counts, item["absent"], item["forgotten"])
        return counters


class Gathered:
    """Latencies that are kept until both versions' have come.

    Envoy adds what it has measured to its histograms every 5 seconds, each proxy at moments of its
    own. Of looks that are 2 seconds long one would show those of the canary and the next one those
    of the stable version, never both, and nothing could be learned from either.
    """

    def __init__(self, since: float) -> None:
        self._since = since
        self._kept: dict[Subset, Tally] = {}

    def take(self, grown: Mapping[Subset, Tally], at: float) -> dict[Subset, Tally]:
        """The same counts; latencies only where enough seconds have passed, then all of them."""
        for subset, tally in grown.items():
            latencies = Tally(histogram=tally.histogram)
            self._kept[subset] = self._kept.get(subset, Tally()) + latencies
        without = {subset: replace(tally, histogram=()) for subset, tally in grown.items()}
        if at - self._since < SHOWN_WITHIN:
            return without
        kept, self._since, self._kept = self._kept, at, {}
        return {subset: without.get(subset, Tally()) + tally for subset, tally in kept.items()}


def _difference(before: Tally, now: Tally) -> Tally:
    """What was added; all of it if a count went back, for then the counters were reset."""
    size = len(now.histogram)
    earlier = before.histogram or (0,) * size
    if len(earlier) != size:
        raise ValueError(f"histogram: got {size} counts; expected {len(earlier)} as before")
    steps = [
        now.attempts - before.attempts,
        now.failures - before.failures,
        *(new - old for new, old in zip(now.histogram, earlier, strict=True)),
    ]
    if min(steps) < 0:
        return now
    return Tally(steps[0], steps[1], tuple(steps[2:]))


def _sparse(histogram: tuple[int, ...]) -> tuple[int, dict[str, int]]:
    return len(histogram), {str(i): count for i, count in enumerate(histogram) if count}


def _dense(size: int, filled: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(filled.get(str(i), 0) for i in range(size))


def histogram(cumulative: Sequence[int]) -> tuple[int, ...]:
    """Counts of each bucket from counts "up to this edge", the last of them up to any latency."""
    counts = tuple(high - low for low, high in zip((0, *cumulative[:-1]), cumulative, strict=True))
    if any(count < 0 for count in counts):
        raise ValueError(f"cumulative counts: got {list(cumulative)}; expected rising ones")
    return counts


def look(
    grown: Mapping[Subset, Tally],
    services: Sequence[str],
    canary: str,
    stable: str,
    seconds: float,
) -> Look:
    """One look at a pair; what other versions counted is left out."""
    return Look(
        seconds,
        {
            service: Versions(
                canary=grown.get(Subset(service, canary), Tally()),
                stable=grown.get(Subset(service, stable), Tally()),
            )
            for service in services
        },
    )
