# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every proxy that carried traffic has counted: attempts, failures and latencies.

The gateways count the requests to each version of the entry service, the pods' sidecars those to
the services behind it. Probes pass neither; mirrored and override requests go to subsets of their
own at the gateway.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from ansible_collections.roost.cluster.plugins.module_utils.api.client import ApiError, Client
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import (
    Block,
    container_statuses,
    label_of,
    name_of,
    selector_of,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.parallel import in_parallel
from ansible_collections.roost.cluster.plugins.module_utils.release import names
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from ansible_collections.roost.cluster.plugins.module_utils.verify import envoy_stats
from ansible_collections.roost.cluster.plugins.module_utils.verify.counters import STATS_PORT
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.counts import (
    Source,
    Subset,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.looks import Tally
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.histograms import (
    histograms,
)

SOURCES = (
    "Envoy's own counters and histograms of each version, at the ingress gateways for the entry "
    "service and at the release's sidecars for the services behind it; attempts, retried ones "
    "included"
)


@dataclass(frozen=True)
class Taken:
    """One reading of all proxies."""

    at: float
    counts: Mapping[Source, Mapping[Subset, Tally]]
    # Proxies that could not be read, and why.
    silent: Sequence[str] = ()
    # The version that each proxy's own pod is; gateways have none.
    versions: Mapping[Source, str] = field(default_factory=dict)


@dataclass
class Reader:
    """Reads the proxies of one release. Failures that were counted once stay counted."""

    client: Client
    release: Release
    context: Context
    edges: Sequence[float]
    _latest: dict[tuple[Source, Subset], Tally] = field(default_factory=dict)
    # The wall clock is looked at once: it may be set back, and readings go forward.
    _began: float = field(default_factory=lambda: time.time() - time.monotonic())

    def take(self) -> Taken:
        """Read all proxies at the same time. Those that don't answer are left out for now."""
        at = self._began + time.monotonic()
        gateways = self._running(
            self.context.gateway_namespace, selector_of(self.context.gateway_selector)
        )
        pods = self._running(self.release.namespace, names.release_selector(self.release.name))
        wanted = [(pod, True) for pod in gateways] + [(pod, False) for pod in pods]
        found: dict[Source, Mapping[Subset, Tally]] = {}
        silent = []
        for answer in in_parallel(self._read, wanted):
            if isinstance(answer, str):
                silent.append(answer)
            else:
                found[answer[0]] = answer[1]
        own = {source_of(pod): label_of(pod, "version") for pod, gateway in wanted if not gateway}
        versions = {source: version for source, version in own.items() if source in found}
        return Taken(at, found, silent, versions)

    def _running(self, namespace: str, selector: str) -> list[Block]:
        pods = self.client.list("Pod", namespace, selector)
        return [pod for pod in pods if pod.get("status", {}).get("phase") == "Running"]

    def _read(self, wanted: tuple[Block, bool]) -> str | tuple[Source, Mapping[Subset, Tally]]:
        pod, gateway = wanted
        place = f"{pod['metadata']['namespace']}/{name_of(pod)}"
        source = source_of(pod)
        if source is None:
            return f"the proxy of {place} doesn't run"
        try:
            status, text = self.client.ask_pod(
                pod["metadata"]["namespace"],
                name_of(pod),
                STATS_PORT,
                "stats/prometheus?filter=outbound",
            )
        except ApiError as error:
            return f"the proxy of {place}: {error}"
        if status != 200:
            return f"the proxy of {place} answers {status}"
        return source, self._tallies(source, text, gateway)

    def _tallies(self, source: Source, text: str, gateway: bool) -> dict[Subset, Tally]:
        """What a proxy has counted for each version of the services that it is asked about."""
        services = [
            service.name for service in self.release.services.values() if service.entry is gateway
        ]
        slow = histograms(text, self.edges)
        found: dict[Subset, Tally] = {}
        for cluster, counted in envoy_stats.parse(text).items():
            for service in services:
                if cluster.subset and cluster.serves(service, self.release.namespace):
                    tally = Tally(counted.attempts, counted.failures, slow.get(cluster, ()))
                    subset = Subset(service, cluster.subset)
                    found[subset] = found.get(subset, Tally()) + tally
        return {subset: self._grown(source, subset, tally) for subset, tally in found.items()}

    def _grown(self, source: Source, subset: Subset, tally: Tally) -> Tally:
        """Failures are put together from several counters, and between two of them the sum may
        seem to fall. Only a proxy that began anew counts fewer."""
        before = self._latest.get((source, subset), Tally())
        if tally.attempts >= before.attempts and tally.failures < before.failures:
            tally = replace(tally, failures=before.failures)
        self._latest[source, subset] = tally
        return tally


def source_of(pod: Block) -> Source | None:
    """One life of a pod's proxy; None if it isn't running."""
    for container in container_statuses(pod):
        started = (container.get("state", {}).get("running") or {}).get("startedAt")
        if container["name"] == names.PROXY and started:
            then = datetime.strptime(started, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
            return Source(str(pod["metadata"]["uid"]), then.timestamp())
    return None


def beside(
    grown: Mapping[Subset, Tally], release: Release, canary: str
) -> dict[str, tuple[int, int]]:
    """For each service behind the entry: requests that may come from overrides and mirrors, for
    which the gateway has subsets of their own, and all of the canary's."""
    apart = sum(
        tally.attempts
        for subset, tally in grown.items()
        if subset.service == release.entry.name
        and names.version_of(subset.version) == canary
        and not names.is_drawn(subset.version)
    )
    return {
        service.name: (apart, grown.get(Subset(service.name, canary), Tally()).attempts)
        for service in release.services.values()
        if not service.entry
    }
