# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A drill: the canary is made to fail on purpose, and what users see of it is measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import ApiError
from ansible_collections.roost.cluster.plugins.module_utils.release import envoy_filters
from ansible_collections.roost.cluster.plugins.module_utils.release.envoy_filters import Fault
from ansible_collections.roost.cluster.plugins.module_utils.release.telemetry import (
    histogram_edges,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.counts import (
    Counters,
    Subset,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    engine,
    faults,
    opening,
    readings,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import Document
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.refusal import Refusal

_EVERY = 0.5
# As long as requests of the last ones that were drawn may still come in.
_AFTER = 2.0


@dataclass
class Drilled:
    document: Document
    # Seconds from the injection to the last answer of the canary; None: it got no request.
    seconds: float | None
    # Answers of the canary since the injection, and failed attempts among them.
    answers: int
    bad: int

    def lines(self) -> list[str]:
        found = [f"rollout {self.document.id}: {self.document.outcome}: {self.document.reason}"]
        if self.seconds is None:
            return [*found, "no request reached the canary, so nothing was shown"]
        return [
            *found,
            f"{self.seconds:.1f} s from the injection to the canary's last answer",
            f"{self.answers} answers of the canary in this time, {self.bad} of them failed",
        ]

    def as_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "answers": self.answers, "bad": self.bad}


class Watch:
    """Looks at the gateways' counters of the canary until it is told to stop."""

    def __init__(self, reader: readings.Reader, subset: Subset) -> None:
        self._reader, self._subset = reader, subset
        self._counters = Counters()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.since: float | None = None
        self.last: float | None = None
        self.answers = self.bad = 0

    def begin(self) -> None:
        """From the next reading on, answers count."""
        self.since = time.time()

    def __enter__(self) -> Watch:
        taken = self._reader.take()
        self._counters.take(taken.counts, taken.at)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_EVERY):
            try:
                taken = self._reader.take()
            except ApiError:
                continue
            tally = self._counters.take(taken.counts, taken.at).get(self._subset)
            if tally and tally.attempts and self.since is not None:
                self.last = taken.at
                self.answers += tally.attempts
                self.bad += tally.failures


def drill(job: Job, fault: Fault, tell: Callable[[str], None]) -> Drilled:
    """Inject the fault into the canary while a rollout walks it. It is gone afterwards, however
    that ends; where it can't be removed, `faults.Left` says so."""
    live = job.look().release
    if live.canary is None or live.canary.weight == 0:
        raise Refusal(
            f"{live.name} has no canary that gets requests; expected one for the drill to break. "
            "Give it some by playbooks/rollout.yml or playbooks/shift.yml"
        )
    job.made.extend(faults.clear(job.client, job.name, job.namespace, tell))
    version = live.canary.version
    item = envoy_filters.fault(live, live.entry.name, version, fault)
    reader = readings.Reader(job.client, live, job.context, histogram_edges())
    watch = Watch(reader, Subset(live.entry.name, version))

    def inject() -> None:
        job.client.apply(item)
        watch.begin()
        tell(f"the fault is injected into {live.entry.name} {version}")

    try:
        with watch:
            document = engine.run(job, opening.Asked(version, {}), tell, begun=inject)
            time.sleep(_AFTER)
    finally:
        faults.remove(job.client, item, tell)
    if document is None:
        raise Refusal(f"{version} became stable before the drill began")
    seconds = watch.last - watch.since if watch.last and watch.since else None
    return Drilled(document, seconds, watch.answers, watch.bad)
