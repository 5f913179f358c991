# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.client import ApiError
from ansible_collections.roost.cluster.plugins.module_utils.verify import counters
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import target

from tests.unit.api.stub import StubClient

WANTED = target(
    {
        "namespace": "digits",
        "stable": "v1",
        "canary": {"version": "v2", "weight": 10},
        "verify": {"path": "/"},
        "services": {"app": {"port": 8080, "entry": True}, "model-service": {"port": 8080}},
    }
)


def pod(
    name: str, version: str = "", start: str = "09:00", phase: str = "Running"
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"version": version}},
        "status": {
            "phase": phase,
            "initContainerStatuses": [
                {"name": "istio-proxy", "state": {"running": {"startedAt": start}}}
            ],
            "containerStatuses": [{"name": "app", "state": {"running": {"startedAt": "08:00"}}}],
        },
    }


def stats(service: str, **answers: int) -> str:
    lines = []
    for subset, count in answers.items():
        name = f'cluster_name="outbound|8080|{subset}|{service}.digits.svc.cluster.local"'
        lines.append(f"envoy_cluster_upstream_rq_completed{{{name}}} {count}")
        lines.append(f"envoy_cluster_upstream_rq_total{{{name}}} {count}")
    return "\n".join(lines)


class FakeClient(StubClient):
    """Answers with recorded objects."""

    def __init__(self, pods: list[dict[str, Any]], statistics: dict[str, str]) -> None:
        self.pods = pods
        self.statistics = statistics

    def ask_pod(self, namespace: str, pod: str, port: int, path: str) -> tuple[int, str]:
        assert (namespace, port, path) == ("digits", 15090, "stats/prometheus")
        return (200, self.statistics[pod]) if pod in self.statistics else (503, "no such port")

    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> Any:
        assert (kind, namespace, selector, fields) == ("Pod", "digits", "app=app", "")
        return self.pods


def read(pods: list[dict[str, Any]], statistics: dict[str, str]) -> counters.Reading:
    return counters.read(FakeClient(pods, statistics), "digits", "app=app")


def test_difference_is_summed_over_pods_of_a_version() -> None:
    pods = [pod("a", "v1"), pod("b", "v1"), pod("c", "v2")]
    before = read(pods, {name: stats("model-service", v1=5) for name in "abc"})
    after = read(
        pods,
        {
            "a": stats("model-service", v1=45),
            "b": stats("model-service", v1=55, v2=0),
            "c": stats("model-service", v1=5, v2=10),
        },
    )
    found = counters.evidence(counters.Difference(), counters.difference(before, after), WANTED)
    assert found.pairs == {"v1": {"v1": 90}, "v2": {"v2": 10}}
    assert found.vanished == 0


def test_a_crossed_call_and_one_past_the_subsets_are_seen() -> None:
    before = read([pod("a", "v1")], {"a": ""})
    text = stats("model-service", v1=7, v2=2) + "\n" + stats("model-service", **{"": 1})
    after = read([pod("a", "v1")], {"a": text})
    found = counters.evidence(counters.Difference(), counters.difference(before, after), WANTED)
    assert found.pairs == {"v1": {"v1": 7, "v2": 2, "no subset": 1}}


def test_gateways_give_the_answers_of_each_subset() -> None:
    gateways = [pod("a"), pod("b")]
    before = read(gateways, {"a": stats("app", v1=100, v2=100), "b": ""})
    after = read(gateways, {"a": stats("app", v1=145, v2=105), "b": stats("app", v1=45, v2=5)})
    found = counters.evidence(counters.difference(before, after), counters.Difference(), WANTED)
    assert found.versions == {"v1": 90, "v2": 10}


def test_what_was_not_drawn_is_left_out() -> None:
    before = read([pod("a")], {"a": ""})
    text = stats("app", **{"v1": 90, "v2": 10, "v2-override": 7, "v3-mirror": 100})
    difference = counters.difference(before, read([pod("a")], {"a": text}))
    found = counters.evidence(difference, counters.Difference(), WANTED)
    assert found.versions == {"v1": 90, "v2": 10}
    assert found.failures.keys() == {"v1", "v2"}
    assert difference.merged("app", "digits")["v3-mirror"].answers == 100


@pytest.mark.parametrize("changed", [{"start": "09:30"}, {"name": "z"}])
def test_a_proxy_that_began_anew_counts_from_zero(changed: dict[str, str]) -> None:
    before = read([pod("a", "v1")], {"a": stats("model-service", v1=1000)})
    again = pod(**{"name": "a", "version": "v1", **changed})
    name = again["metadata"]["name"]
    after = read([again], {name: stats("model-service", v1=3)})
    difference = counters.difference(before, after)
    assert difference.merged("model-service", "digits")["v1"].answers == 3
    assert difference.vanished == 1


def test_pods_that_do_not_run_are_not_asked() -> None:
    assert read([pod("a", phase="Pending")], {}) == {}


def test_a_pod_without_statistics_is_named() -> None:
    with pytest.raises(ApiError, match=r"pod digits/a: expected status 200 .* got 503"):
        read([pod("a")], {})
