# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Latency histograms in Envoy's Prometheus text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from ansible_collections.roost.cluster.plugins.module_utils.verify.envoy_stats import Cluster
from ansible_collections.roost.cluster.plugins.plugin_utils.decision import counts

# Per answer, from the last byte of the request to the last of the answer, in milliseconds.
_BUCKET = re.compile(
    r'^envoy_cluster_upstream_rq_time_bucket\{(?P<before>.*)\ble="(?P<edge>[^"]*)"(?P<after>.*)\} '
    r"(?P<count>\d+)$",
    re.MULTILINE,
)
_NAME = re.compile(r'\bcluster_name="([^"]*)"')


class OtherEdges(ValueError):
    """A proxy counts latencies in other buckets than the statistics expect."""


def histograms(text: str, edges: Sequence[float]) -> dict[Cluster, tuple[int, ...]]:
    """Counts of each bucket, one more than there are edges, for every outbound cluster."""
    cumulative: dict[Cluster, dict[float, int]] = {}
    for match in _BUCKET.finditer(text):
        cluster = _cluster(match["before"], match["after"])
        if cluster is not None:
            cumulative.setdefault(cluster, {})[float(match["edge"])] = int(match["count"])
    wanted = [*edges, float("inf")]
    found = {}
    for cluster, buckets in cumulative.items():
        if list(buckets) != wanted:
            raise OtherEdges(
                f"the latencies to {cluster.host} ({cluster.subset}) are counted in "
                f"{len(buckets)} buckets; expected the {len(wanted)} that Roost sets by the "
                "annotation sidecar.istio.io/statsHistogramBuckets; start the pod anew with it"
            )
        found[cluster] = counts.histogram(list(buckets.values()))
    return found


@lru_cache  # all buckets of a histogram have the same labels but for the edge
def _cluster(*labels: str) -> Cluster | None:
    name = _NAME.search(",".join(labels))
    return Cluster.parse(name[1]) if name else None


def edges_from(floor: float, edges: Sequence[float]) -> list[float]:
    """The edges of histograms in which everything up to the floor is one bucket."""
    return [edge for edge in edges if edge >= floor]


def floored(found: Sequence[int], buckets: int) -> tuple[int, ...]:
    """Counts for the last so many buckets, the first of which takes in all before it."""
    before = len(found) - buckets
    if before <= 0:
        return tuple(found)
    return (sum(found[: before + 1]), *found[before + 1 :])
