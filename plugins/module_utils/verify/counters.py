# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import ApiError, Client
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import (
    container_statuses,
    label_of,
    name_of,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.parallel import in_parallel
from ansible_collections.roost.cluster.plugins.module_utils.release.names import PROXY, is_drawn
from ansible_collections.roost.cluster.plugins.module_utils.verify import envoy_stats
from ansible_collections.roost.cluster.plugins.module_utils.verify.envoy_stats import (
    Cluster,
    Counts,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import Target

STATS_PORT = 15090


@dataclass(frozen=True)
class ProxyReading:
    """The counters of one proxy, since it started."""

    version: str
    clusters: Mapping[Cluster, Counts]


Reading = dict[str, ProxyReading]


@dataclass(frozen=True)
class Difference:
    """What happened between two readings, added up over proxies of the same version label."""

    by_version: dict[str, dict[Cluster, Counts]] = field(default_factory=dict)
    vanished: int = 0
    """Proxies that were read before and are gone: their last counts are not in the sum."""

    def merged(self, service: str, namespace: str) -> dict[str, Counts]:
        """Counts of each subset of a service, whoever asked it."""
        return envoy_stats.total(
            (subset, counts)
            for clusters in self.by_version.values()
            for subset, counts in envoy_stats.by_subset(clusters, service, namespace).items()
        )


def read(client: Client, namespace: str, selector: str) -> Reading:
    """Read the statistics of every running proxy that the selector finds, at the same time."""
    pods = [
        pod
        for pod in client.list("Pod", namespace, selector)
        if pod.get("status", {}).get("phase") == "Running"
    ]

    def one(pod: Mapping[str, Any]) -> tuple[str, ProxyReading]:
        status, text = client.ask_pod(namespace, name_of(pod), STATS_PORT, "stats/prometheus")
        if status != 200:
            raise ApiError(
                f"the statistics of pod {namespace}/{name_of(pod)}: expected status 200 from its "
                f"port {STATS_PORT}, got {status}: {text[:200]}; does the pod have a sidecar?"
            )
        return _life(pod), ProxyReading(label_of(pod, "version"), envoy_stats.parse(text))

    return dict(in_parallel(one, pods))


def _life(pod: Mapping[str, Any]) -> str:
    """What changes when a proxy's counters begin at 0 again: the pod, or its proxy's start."""
    starts = [
        (container.get("state", {}).get("running") or {}).get("startedAt", "")
        for container in container_statuses(pod)
        if container["name"] == PROXY
    ]
    return f"{pod['metadata']['uid']} {''.join(starts)}"


def difference(before: Reading, after: Reading) -> Difference:
    """What each proxy counted in between; one that is new counted everything in between."""
    sums: dict[str, dict[Cluster, Counts]] = {}
    for life, reading in after.items():
        earlier = before[life].clusters if life in before else {}
        clusters = sums.setdefault(reading.version, {})
        for cluster, counts in reading.clusters.items():
            grown = counts.since(earlier.get(cluster, Counts()))
            if grown.went_back:
                grown = counts
            clusters[cluster] = clusters.get(cluster, Counts()) + grown
    return Difference(sums, vanished=len(before.keys() - after.keys()))


@dataclass(frozen=True)
class CounterEvidence:
    """What the proxies counted while the requests ran."""

    versions: dict[str, int]
    """Answers of each subset of the entry service, as the gateways counted them."""
    failures: dict[str, int]
    """Failed attempts of each subset, those that a retry hid included."""
    pairs: dict[str, dict[str, int]]
    """Attempts from the app's version to each subset of the services behind it."""
    vanished: int


def evidence(gateways: Difference, apps: Difference, wanted: Target) -> CounterEvidence:
    subsets = gateways.merged(wanted.entry.name, wanted.namespace)
    # What a header asked for, and copies of requests, were not drawn.
    at_gateway = {subset: counts for subset, counts in subsets.items() if is_drawn(subset)}
    pairs: dict[str, dict[str, int]] = {}
    for version, clusters in sorted(apps.by_version.items()):
        for service in wanted.others:
            found = envoy_stats.by_subset(clusters, service.name, wanted.namespace)
            for subset, counts in sorted(found.items()):
                if counts.attempts:
                    row = pairs.setdefault(version, {})
                    key = subset or "no subset"
                    row[key] = row.get(key, 0) + counts.attempts
    return CounterEvidence(
        versions={subset: counts.answers for subset, counts in at_gateway.items()},
        failures={subset: counts.failures for subset, counts in at_gateway.items()},
        pairs=pairs,
        vanished=gateways.vanished + apps.vanished,
    )
