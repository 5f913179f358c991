# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Readings into looks, looks into verdicts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.module_utils.release.telemetry import (
    histogram_edges,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision import counts
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.comparison import Comparison
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.counts import (
    Counters,
    Gathered,
    Subset,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.looks import Look, Tally
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.verdict import (
    MetricVerdict,
    Verdict,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import histograms
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.readings import (
    Reader,
    beside,
)

# More of the canary's requests by override than this, and a service behind the entry can't advance:
# they can't be told apart there.
MOST_OVERRIDES = 0.1
# What a change of these makes of evidence that was gathered before is not defined.
_BOUND = ("alpha", "failure_margin", "latency_margin", "latency_floor_ms")


@dataclass(frozen=True)
class Seen:
    """One look. Without a verdict it was the first one, which others are compared with."""

    silent: Sequence[str] = ()
    verdict: Verdict | None = None
    look: Mapping[str, Any] = field(default_factory=dict)
    # service → requests and failures of both versions in this step.
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # In this step, so far.
    seconds: float = 0.0
    # Requests per second to both versions of the entry service.
    rate: float = 0.0
    override_share: Mapping[str, float] = field(default_factory=dict)


class Judge:
    def __init__(
        self, job: Job, release: Release, canary: str, settings: Settings, comparison: Comparison
    ) -> None:
        self._release, self._canary = release, canary
        self._settings, self._comparison = settings, comparison
        self._reader = Reader(job.client, release, job.context, histogram_edges())
        self._counters = Counters()
        self._gathered = Gathered(0)
        self._beside: dict[str, list[int]] = {}
        self.due = time.monotonic()

    @classmethod
    def new(cls, job: Job, release: Release, canary: str) -> Judge:
        settings = job.file.rollout
        services = sorted(release.services, key=lambda name: not release.services[name].entry)
        comparison = Comparison(settings, edges_of(settings), services)
        return cls(job, release, canary, settings, comparison)

    @classmethod
    def resumed(
        cls,
        job: Job,
        release: Release,
        canary: str,
        state: Mapping[str, Any] | None,
        waited: bool,
    ) -> Judge:
        """Evidence goes on growing from where it was left, unless it was gathered for other
        margins. After a wait that was too long another one begins. Raises BadState."""
        judge = cls.new(job, release, canary)
        settings = job.file.rollout.as_block()
        try:
            if state and all(state["settings"][key] == settings[key] for key in _BOUND):
                judge._comparison = Comparison.from_dict({**state, "settings": settings})
                if waited:
                    judge._comparison.begin_step(state["weight"])
        except (ValueError, KeyError, TypeError) as error:
            raise job.store().bad(error) from error
        return judge

    def enter(self, weight: int) -> None:
        """The canary gets this weight: the step's own counts and its wait begin."""
        if weight != self._comparison.weight:
            self._comparison.begin_step(weight)
            self._beside = {}

    def base(self) -> None:
        """What the proxies have counted so far is not this rollout's, or nobody looked at it."""
        taken = self._reader.take()
        self._counters.take(taken.counts, taken.at)
        self._gathered = Gathered(taken.at)
        self.due = time.monotonic() + self._settings.look_seconds

    def look(self) -> Seen:
        """Raises ApiError if nothing could be read."""
        self.due = time.monotonic() + self._settings.look_seconds
        before = self._counters.read_at
        taken = self._reader.take()
        grown = self._counters.take(taken.counts, taken.at)
        if before is None:
            self._gathered = Gathered(taken.at)
            return Seen(taken.silent)
        grown = self._floored(self._gathered.take(grown, taken.at))
        services = list(self._comparison.services)
        look = counts.look(grown, services, self._canary, self._release.stable, taken.at - before)
        self._comparison.observe(look)
        shares = self._override_shares(grown)
        verdict = self._comparison.verdict(_holds(shares))
        return Seen(
            taken.silent,
            verdict,
            _recorded(look, verdict),
            {name: asdict(item.step) for name, item in self._comparison.services.items()},
            self._comparison.seconds,
            _rate(look, services[0]),
            shares,
        )

    def _floored(self, grown: Mapping[Subset, Tally]) -> dict[Subset, Tally]:
        buckets = len(self._comparison.edges) + 1
        return {
            subset: replace(tally, histogram=histograms.floored(tally.histogram, buckets))
            for subset, tally in grown.items()
        }

    def _override_shares(self, grown: Mapping[Subset, Tally]) -> dict[str, float]:
        """In this step, of each service behind the entry."""
        for service, numbers in beside(grown, self._release, self._canary).items():
            sums = self._beside.setdefault(service, [0, 0])
            sums[0] += numbers[0]
            sums[1] += numbers[1]
        return {
            service: min(1.0, overrides / requests) if requests else 0.0
            for service, (overrides, requests) in self._beside.items()
        }

    def as_dict(self) -> dict[str, Any]:
        return self._comparison.as_dict()


def edges_of(settings: Settings) -> list[float]:
    """The edges that latencies are compared by."""
    return histograms.edges_from(settings.latency_floor_ms, histogram_edges())


def _rate(look: Look, entry: str) -> float:
    both = look.services[entry]
    return (both.canary.attempts + both.stable.attempts) / look.seconds


def _holds(shares: Mapping[str, float]) -> dict[str, str]:
    return {
        service: f"{share:.0%} of the canary's requests came by override or as mirrored ones, more "
        f"than {MOST_OVERRIDES:.0%}, and they can't be told apart here"
        for service, share in shares.items()
        if share > MOST_OVERRIDES
    }


def _recorded(look: Look, verdict: Verdict) -> dict[str, Any]:
    """A look as the document keeps it."""
    return {
        "seconds": round(look.seconds, 3),
        "services": {
            name: {
                "canary": [versions.canary.attempts, versions.canary.failures],
                "stable": [versions.stable.attempts, versions.stable.failures],
            }
            for name, versions in look.services.items()
        },
        "metrics": [_metric(metric) for metric in verdict.metrics],
    }


def _metric(found: MetricVerdict) -> list[Any]:
    numbers = (
        found.canary,
        found.stable,
        found.estimate,
        found.lower,
        found.upper,
        found.evidence_worse,
        found.evidence_within,
    )
    short = [None if number is None else float(f"{number:.5g}") for number in numbers]
    return [found.service, found.metric, *short]
