# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happens to a release now: from two readings of its proxies, and what is written down."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    gateway_certificate,
    lease,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.lease import Holder
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.telemetry import (
    histogram_edges,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.counts import (
    Counters,
    Subset,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.looks import Tally
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import Document
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.lock import utc
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.readings import (
    Reader,
    Taken,
)


@dataclass(frozen=True)
class Status:
    release: Release
    seconds: float
    # What the proxies counted in these seconds.
    grown: Mapping[Subset, Tally]
    # Caller's version → subset of a service behind the entry → attempts.
    pairs: Mapping[str, Mapping[Subset, int]]
    silent: Sequence[str] = ()
    rollout: Document | None = None
    holder: Holder | None = None
    # Why the state of the rollout can't be shown.
    problem: str = ""
    edges: Sequence[float] = field(default_factory=histogram_edges)
    # What the gateway answers over HTTPS with, in words; None: it doesn't.
    https: str | None = None

    def tally(self, service: str, version: str) -> Tally:
        return self.grown.get(Subset(service, version), Tally())


def status(job: Job, window: float, now: datetime | None = None) -> Status:
    """Look twice, `window` seconds apart. Changes nothing."""
    client = job.client
    release = job.look().release
    reader = Reader(client, release, job.context, histogram_edges())
    before = reader.take()
    time.sleep(window)  # what is counted is what happens in this time
    after = reader.take()
    problems: list[str] = []
    stored = job.store().read_if_usable(client, problems.append)
    return Status(
        release,
        after.at - before.at,
        _grown(before, after),
        _pairs(before, after),
        after.silent,
        stored.document if stored else None,
        _holder(client, job, now or utc()),
        problems[0] if problems else "",
        https=gateway_certificate.told(client, release, job.context, now or utc()),
    )


def _holder(client: Client, job: Job, now: datetime) -> Holder | None:
    return lease.alive(client.get(lease.lease(job.name, job.namespace)), now)


def _grown(before: Taken, after: Taken) -> dict[Subset, Tally]:
    counters = Counters()
    counters.take(before.counts, before.at)
    return counters.take(after.counts, after.at)


def _pairs(before: Taken, after: Taken) -> dict[str, dict[Subset, int]]:
    pairs: dict[str, dict[Subset, int]] = {}
    for version in sorted(set(after.versions.values())):
        own = [_of(taken, version) for taken in (before, after)]
        for subset, tally in _grown(*own).items():
            if tally.attempts:
                pairs.setdefault(version, {})[subset] = tally.attempts
    return pairs


def _of(taken: Taken, version: str) -> Taken:
    """The part of a reading that pods of one version gave."""
    counts = {
        source: found
        for source, found in taken.counts.items()
        if taken.versions.get(source) == version
    }
    return Taken(taken.at, counts)


def quantile(histogram: Sequence[int], edges: Sequence[float], share: float) -> float | None:
    """The edge below which so many of the requests stayed; None without requests, or above the
    last edge."""
    wanted, seen = share * sum(histogram), 0
    for count, edge in zip(histogram, edges):
        seen += count
        if seen and seen >= wanted:
            return edge
    return None
