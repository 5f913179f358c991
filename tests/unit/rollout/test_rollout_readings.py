# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.client import Unreachable
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from ansible_collections.roost.cluster.plugins.module_utils.release.spec import read
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.counts import (
    Source,
    Subset,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.histograms import (
    OtherEdges,
    edges_from,
    floored,
    histograms,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.readings import (
    Reader,
    beside,
)

from tests.unit.api.stub import StubClient

EDGES = (1.0, 2.5, 10.0)
STARTED = "2026-11-28T12:00:00Z"
# Recorded from a stock Envoy whose upstreams fail in every way; see the tests of its reader.
RECORDED = (Path(__file__).parents[1] / "verify/data/envoy_stats.prom").read_text()
RELEASE, _problems = read(
    {
        "name": "digits",
        "namespace": "digits",
        "stable": "v1",
        "canary": {"version": "v2", "weight": 10},
        "versions": {
            version: {
                service: f"x/{service}@sha256:{version[1] * 64}"
                for service in ("app", "model-service")
            }
            for version in ("v1", "v2")
        },
        "services": {"app": {"port": 8080, "entry": True}, "model-service": {"port": 8080}},
    }
)
assert RELEASE


def cluster(service: str, subset: str) -> str:
    return f'cluster_name="outbound|8080|{subset}|{service}.digits.svc.cluster.local"'


def stats(service: str, subset: str, sent: int, failed: int, *cumulative: int) -> str:
    """What a proxy says of one subset."""
    name = cluster(service, subset)
    lines = [
        f"envoy_cluster_upstream_rq_total{{{name}}} {sent}",
        f'envoy_cluster_upstream_rq{{{name},response_code_class="5xx"}} {failed}',
        f"envoy_cluster_upstream_cx_total{{{name}}} 7",
    ]
    for edge, count in zip(("1", "2.5", "10", "+Inf"), cumulative):
        lines.append(f'envoy_cluster_upstream_rq_time_bucket{{{name},le="{edge}"}} {count}')
        lines.append(f'envoy_cluster_upstream_cx_length_ms_bucket{{{name},le="{edge}"}} 99')
    return "\n".join(lines) + "\n"


def pod(name: str, namespace: str, started: str | None = STARTED, phase: str = "Running") -> Any:
    state = {"running": {"startedAt": started}} if started else {"terminated": {}}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid of {name}"},
        "status": {
            "phase": phase,
            "initContainerStatuses": [{"name": "istio-proxy", "state": state}],
        },
    }


class Cluster(StubClient):
    def __init__(self, **texts: str) -> None:
        self.texts = texts
        self.pods = [pod("gateway", "istio-system"), pod("app", "digits"), pod("model", "digits")]

    def ask_pod(self, namespace: str, pod: str, port: int, path: str) -> tuple[int, str]:
        assert (port, path) == (15090, "stats/prometheus?filter=outbound")
        text = self.texts.get(pod, "")
        if text == "away":
            raise Unreachable("no answer")
        return (503, "") if text == "starting" else (200, text)

    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[Any]:
        return [found for found in self.pods if found["metadata"]["namespace"] == namespace]


def reader(client: Cluster) -> Reader:
    assert RELEASE
    return Reader(client, RELEASE, Context(), EDGES)


def source(name: str) -> Source:
    return Source(f"uid of {name}", 1795867200.0)


def test_gateways_count_the_entry_and_sidecars_what_is_behind_it() -> None:
    both = stats("app", "v1", 90, 1, 5, 50, 80, 89) + stats("model-service", "v1", 40, 2)
    taken = reader(Cluster(gateway=both, app=both)).take()
    assert {place: set(found) for place, found in taken.counts.items()} == {
        source("gateway"): {Subset("app", "v1")},
        source("app"): {Subset("model-service", "v1")},
        source("model"): set(),
    }
    tally = taken.counts[source("gateway")][Subset("app", "v1")]
    assert (tally.attempts, tally.failures, tally.histogram) == (90, 1, (5, 45, 30, 9))


@pytest.mark.parametrize(
    ("subset", "attempts", "failures"),
    [("fine", 60, 0), ("503-retried", 92, 35), ("reset-retried", 80, 22), ("broken-body", 60, 14)],
)
def test_attempts_and_failures_with_retries_are_those_of_the_recording(
    subset: str, attempts: int, failures: int
) -> None:
    taken = reader(Cluster(gateway=RECORDED)).take()
    tally = taken.counts[source("gateway")][Subset("app", subset)]
    assert (tally.attempts, tally.failures) == (attempts, failures)


def test_overrides_and_mirrors_have_subsets_of_their_own() -> None:
    text = stats("app", "v2", 50, 0) + stats("app", "v2-override", 30, 0)
    behind = stats("model-service", "v2", 80, 0)
    taken = reader(Cluster(gateway=text, app=behind)).take()
    grown = {subset: tally for found in taken.counts.values() for subset, tally in found.items()}
    assert grown[Subset("app", "v2")].attempts == 50
    assert RELEASE
    assert beside(grown, RELEASE, "v2") == {"model-service": (30, 80)}


def test_a_proxy_that_does_not_answer_is_left_out_and_named() -> None:
    client = Cluster(gateway=stats("app", "v1", 9, 0), app="away", model="starting")
    client.pods += [pod("new", "digits", started=None), pod("done", "digits", phase="Succeeded")]
    taken = reader(client).take()
    assert set(taken.counts) == {source("gateway")}
    assert sorted(taken.silent) == [
        "the proxy of digits/app: no answer",
        "the proxy of digits/model answers 503",
        "the proxy of digits/new doesn't run",
    ]


def test_failures_that_seem_to_fall_between_two_counters_stay() -> None:
    """A connection that was cut counts before the answer that was lost by it does."""
    client = Cluster(gateway=stats("app", "v1", 90, 9))
    taking = reader(client)
    taking.take()
    client.texts["gateway"] = stats("app", "v1", 95, 8)
    tally = taking.take().counts[source("gateway")][Subset("app", "v1")]
    assert (tally.attempts, tally.failures) == (95, 9)
    # Fewer requests than before: a proxy that began anew without another container.
    client.texts["gateway"] = stats("app", "v1", 20, 1)
    tally = taking.take().counts[source("gateway")][Subset("app", "v1")]
    assert (tally.attempts, tally.failures) == (20, 1)


@pytest.mark.parametrize(
    ("counted", "floor", "found"),
    [
        ((1, 2, 3, 4), 0.5, (1, 2, 3, 4)),
        ((1, 2, 3, 4), 1.0, (1, 2, 3, 4)),
        ((1, 2, 3, 4), 2.0, (3, 3, 4)),
        ((1, 2, 3, 4), 10.0, (6, 4)),
        ((), 2.5, ()),
    ],
)
def test_latencies_up_to_the_floor_are_one_bucket(
    counted: tuple[int, ...], floor: float, found: tuple[int, ...]
) -> None:
    assert floored(counted, len(edges_from(floor, EDGES)) + 1) == found


def test_buckets_of_other_edges_are_refused() -> None:
    text = stats("app", "v1", 9, 0, 1, 2, 3, 4)
    with pytest.raises(
        OtherEdges, match="app.digits.* .v1. are counted in 4 buckets; expected .* 5"
    ):
        histograms(text, (1.0, 2.5, 5.0, 10.0))


def test_a_clock_that_is_set_back_takes_no_reading_into_the_past(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taking = reader(Cluster())
    first = taking.take()
    monkeypatch.setattr(time, "time", lambda: first.at - 3600)
    second = taking.take()
    assert first.at <= second.at < first.at + 60
