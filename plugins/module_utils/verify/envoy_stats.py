# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from functools import lru_cache

# Metric, and the value of response_code_class if it is one line of several.
_FIELDS = {
    ("upstream_rq_completed", None): "answers",
    ("upstream_rq", "5xx"): "answers_5xx",
    ("upstream_rq_total", None): "sent",
    ("upstream_rq_pending_failure_eject", None): "not_connected",
    ("upstream_cx_none_healthy", None): "no_endpoint",
    ("upstream_rq_retry", None): "retries",
    ("retry_upstream_rq_completed", None): "retried_answers",
    ("retry_upstream_rq", "5xx"): "retried_5xx",
    ("upstream_cx_destroy_remote_with_active_rq", None): "cut_connections",
    ("upstream_rq_rx_reset", None): "cut_streams",
}
# These metrics alone: nearly all lines of a proxy are of others, of its histograms above all.
_LINE = re.compile(
    rf"^envoy_cluster_(?P<metric>{'|'.join(dict.fromkeys(metric for metric, _code in _FIELDS))})"
    r"\{(?P<labels>[^}]*)\} (?P<value>\d+)$",
    re.MULTILINE,
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Counts:
    """Envoy's counters of one cluster, that is, of one subset of one service.

    Envoy spreads what went wrong over several of them:
    an answer that a retry replaced is under retry.* alone; a retried attempt that got no
    answer at all (reset, refused, timed out) shows only as a retry without an answer; an attempt
    that found no connection isn't in upstream_rq_total; and a body cut off half-way belongs to
    an answer that was counted as 200.
    """

    answers: int = 0
    answers_5xx: int = 0
    sent: int = 0
    not_connected: int = 0
    no_endpoint: int = 0
    retries: int = 0
    retried_answers: int = 0
    retried_5xx: int = 0
    cut_connections: int = 0
    cut_streams: int = 0

    @property
    def attempts(self) -> int:
        return self.sent + self.not_connected + self.no_endpoint

    @property
    def failures(self) -> int:
        unanswered = max(0, self.retries - self.retried_answers)
        # A connection cut before the headers came is already a 5xx or an unanswered retry.
        # What exceeds these was cut after a good status: a lower bound, never counted twice.
        cut = self.cut_connections + self.cut_streams - self.answers_5xx - unanswered
        return self.answers_5xx + self.retried_5xx + unanswered + max(0, cut)

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other))))

    def since(self, earlier: Counts) -> Counts:
        return Counts(*(a - b for a, b in zip(astuple(self), astuple(earlier))))

    @property
    def went_back(self) -> bool:
        """Whether a difference can't be one: the proxy restarted in between."""
        return any(value < 0 for value in astuple(self))


@dataclass(frozen=True)
class Cluster:
    """An outbound cluster as Istio names it: outbound|PORT|SUBSET|HOST."""

    port: int
    subset: str
    host: str

    @staticmethod
    @lru_cache  # each of a proxy's lines has the name of one of a few
    def parse(name: str) -> Cluster | None:
        # Some versions of Istio leave the delimiter of the statistics' name in the label.
        parts = name.rstrip(";").split("|")
        if len(parts) != 4 or parts[0] != "outbound" or not parts[1].isdigit():
            return None
        return Cluster(int(parts[1]), parts[2], parts[3])

    def serves(self, service: str, namespace: str) -> bool:
        return self.host.startswith(f"{service}.{namespace}.svc.")


def parse(text: str) -> dict[Cluster, Counts]:
    """The counters of every outbound cluster in Envoy's Prometheus text.

    With Istio's tags one metric name carries both response_code and response_code_class
    lines: summing all lines of a name would count every answer twice.
    """
    found: dict[Cluster, dict[str, int]] = {}
    for match in _LINE.finditer(text):
        labels = dict(_LABEL.findall(match["labels"]))
        if "response_code" in labels:
            continue
        field = _FIELDS.get((match["metric"], labels.get("response_code_class")))
        cluster = Cluster.parse(labels.get("cluster_name", ""))
        if field is not None and cluster is not None:
            found.setdefault(cluster, {})[field] = int(match["value"])
    return {cluster: Counts(**values) for cluster, values in found.items()}


def by_subset(
    clusters: Mapping[Cluster, Counts], service: str, namespace: str
) -> dict[str, Counts]:
    """The counters of one service, summed over ports, for each subset ('' is no subset)."""
    return total(
        (cluster.subset, counts)
        for cluster, counts in clusters.items()
        if cluster.serves(service, namespace)
    )


def total(items: Iterable[tuple[str, Counts]]) -> dict[str, Counts]:
    sums: dict[str, Counts] = {}
    for key, counts in items:
        sums[key] = sums.get(key, Counts()) + counts
    return sums
