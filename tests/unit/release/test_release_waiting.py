# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.client import Unreachable
from ansible_collections.roost.cluster.plugins.module_utils.api.execution import Executed
from ansible_collections.roost.cluster.plugins.module_utils.release import waiting
from ansible_collections.roost.cluster.plugins.modules import release_wait

from tests.unit.api.stub import StubClient

PLACE = waiting.Place("digits", "digits", "istio-system", {"istio": "ingressgateway"})
CLUSTER = "outbound|8080|v2|app.digits.svc.cluster.local"


def pod(name: str, ready: bool = True, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "digits", "uid": name, "labels": labels},
        "spec": {"containers": [{"name": "app"}], "initContainers": [{"name": "istio-proxy"}]},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


class Scripted(StubClient):
    """A cluster whose answers are given by the time."""

    def __init__(self, page: Callable[[float], str | Executed], gateways: int = 1) -> None:
        self.page, self.now = page, 0.0
        self.asked: list[str] = []
        self.gateways = [pod(f"gateway-{index}") for index in range(gateways)]
        self.pods: list[dict[str, Any]] = []
        self.deployments: list[dict[str, Any]] = []
        self.nodes: list[dict[str, Any]] = []
        self.failing: Exception | None = None

    def list(self, kind: str, namespace: Any = None, selector: str = "", fields: str = "") -> Any:
        if self.failing and self.now < 3:
            raise self.failing
        if kind == "Pod":
            return self.gateways if namespace == "istio-system" else self.pods
        if kind == "Node":
            return self.nodes
        assert kind == "Deployment"
        return self.deployments

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> Executed:
        self.asked.append(pod)
        page = self.page(self.now)
        return Executed(0, page) if isinstance(page, str) else page

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, wait: Any, timeout: float = 20) -> waiting.Outcome:
        watcher = waiting.Watcher(self, PLACE, lambda: self.now, self.sleep)
        return watcher.wait(wait, timeout, 1)


def known(active: int = 0) -> str:
    return (
        f"{CLUSTER}::10.244.1.1:8080::rq_active::{active}\n"
        f"{CLUSTER}::10.244.1.1:8080::health_flags::healthy\n"
    )


def test_nothing_to_wait_for() -> None:
    cluster = Scripted(lambda now: "")
    assert cluster.wait({}) == waiting.Outcome()
    assert cluster.asked == []


def test_it_ends_as_soon_as_the_condition_holds() -> None:
    cluster = Scripted(lambda now: known() if now >= 4 else "")
    outcome = cluster.wait({"gateway_clusters": {CLUSTER: 1}})
    assert (outcome.seconds, outcome.missing) == (4, [])


def test_it_ends_at_its_limit_and_names_what_is_missing() -> None:
    outcome = Scripted(lambda now: "").wait({"gateway_clusters": {CLUSTER: 1}})
    assert outcome.seconds == 20
    assert outcome.missing == [f"the proxy of gateway-0 has no cluster {CLUSTER}"]


def test_a_proxy_that_has_it_is_not_asked_again() -> None:
    cluster = Scripted(lambda now: known(), gateways=2)
    pages = iter([known(), "", "", known()])
    cluster.page = lambda now: next(pages)
    assert cluster.wait({"gateway_clusters": {CLUSTER: 1}}).missing == []
    assert len(cluster.asked) == 4


def test_two_conditions_on_one_page_ask_once() -> None:
    cluster = Scripted(lambda now: known())
    wait = {"gateway_clusters": {CLUSTER: 1}, "without": ["x"]}
    assert cluster.wait(wait).missing == []
    assert cluster.asked == ["gateway-0"]


def test_without_a_gateway_nothing_is_taken_for_done() -> None:
    outcome = Scripted(lambda now: known(), gateways=0).wait({"gateway_clusters": {CLUSTER: 1}})
    assert outcome.missing == ["no ready pod with istio=ingressgateway in istio-system"]


class StuckGateway(Scripted):
    """One whose only pod was never made."""

    def __init__(self) -> None:
        super().__init__(lambda now: "", gateways=0)
        self.deployments = [{"metadata": {"name": "istio-ingressgateway"}}]

    def list(self, kind: str, namespace: Any = None, selector: str = "", fields: str = "") -> Any:
        if kind != "Event":
            return super().list(kind, namespace, selector, fields)
        about = {"kind": "ReplicaSet", "name": "istio-ingressgateway-5d4"}
        return [{"involvedObject": about, "reason": "FailedCreate", "message": "exceeded quota"}]


def test_why_there_is_no_gateway_is_told_by_events_too() -> None:
    found = release_wait.gateway_evidence(StuckGateway(), "istio-system", "istio=ingressgateway")
    assert "exceeded quota" in "\n".join(found)


def test_of_a_gateway_that_nobody_can_ask_for_that_is_told() -> None:
    cluster = StuckGateway()
    cluster.failing = Unreachable("the API is away")
    found = release_wait.gateway_evidence(cluster, "istio-system", "istio=ingressgateway")
    assert found == ["nothing more is known of the gateway: the API is away"]


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        (Executed(None, errors="exec in gateway-0: connection closed"), "connection closed"),
        (Executed(1, "", "no such page"), "no such page"),
        (Executed(1), "it ended with code 1"),
    ],
)
def test_a_proxy_that_gives_no_answer_is_named(ended: Executed, why: str) -> None:
    (missing,) = Scripted(lambda now: ended).wait({"gateway_clusters": {CLUSTER: 1}}).missing
    begun = "the proxy of gateway-0 can't be asked: pilot-agent request GET clusters: "
    assert missing.startswith(begun)
    assert missing.endswith(why)


def test_an_answer_that_is_no_json_is_named() -> None:
    outcome = Scripted(lambda now: "<html>").wait({"weights": {"host": "a", "versions": {}}})
    assert "gives no answer that can be read" in outcome.missing[0]


def test_pods_that_are_not_ready_are_not_asked() -> None:
    cluster = Scripted(lambda now: known())
    cluster.pods = [pod("app-1", ready=False, app="app")]
    assert cluster.wait({"pod_clusters": {"model-service": {"x": 1}}}).missing == []


def test_an_api_server_that_comes_back_is_waited_for() -> None:
    cluster = Scripted(lambda now: known())
    cluster.failing = Unreachable("it doesn't answer")
    assert cluster.wait({"gateway_clusters": {CLUSTER: 1}}).seconds == 3
    assert cluster.wait({"gone": ["x"]}, timeout=1).missing == []
    cluster.now = 0
    assert cluster.wait({"gone": ["x"]}, timeout=1).missing == ["it doesn't answer"]


IDLE = {"idle": {"clusters": [CLUSTER], "limit": 10}}


def test_requests_have_to_be_seen_ended_twice() -> None:
    active = {0: 2, 1: 0, 2: 1, 3: 0, 4: 0}
    outcome = Scripted(lambda now: known(active[int(now)])).wait(IDLE)
    assert (outcome.seconds, outcome.missing, outcome.notes) == (4, [], [])


def test_requests_that_take_too_long_are_cut_off_and_told() -> None:
    outcome = Scripted(lambda now: known(1)).wait(IDLE)
    assert (outcome.seconds, outcome.missing) == (10, [])
    assert outcome.notes == [
        f"the proxy of gateway-0 has 1 requests under way to {CLUSTER}: "
        "they took too long and are cut off"
    ]


def rolled_out(name: str, available: int = 1) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "generation": 1},
        "spec": {"replicas": 1},
        "status": {
            "observedGeneration": 1,
            "replicas": 1,
            "updatedReplicas": 1,
            "availableReplicas": available,
        },
    }


def test_proxies_are_not_asked_before_pods_are_ready() -> None:
    cluster = Scripted(lambda now: known())
    cluster.deployments = [rolled_out("app-v2", available=0)]
    outcome = cluster.wait({"ready": ["app-v2"], "gateway_clusters": {CLUSTER: 1}})
    assert outcome.missing == ["app-v2: 0 of 1 pods are ready"]
    assert cluster.asked == []


def test_pods_of_a_node_that_is_down_are_not_waited_for() -> None:
    cluster = Scripted(lambda now: known())
    cluster.deployments = [rolled_out("app-v2", available=0)]
    lost = pod("app-v2-1", ready=False, app="app", version="v2")
    lost["metadata"]["ownerReferences"] = [
        {"controller": True, "kind": "ReplicaSet", "name": "app-v2-7d9f"}
    ]
    lost["spec"]["nodeName"] = "worker-1"
    cluster.pods, cluster.nodes = [lost], [{"metadata": {"name": "worker-1"}}]
    outcome = cluster.wait({"ready": ["app-v2"]})
    assert outcome.missing == []
    assert len(outcome.notes) == 1
    assert "app-v2: 1 pods are not waited for" in outcome.notes[0]


def test_a_pod_without_a_proxy_is_not_ready() -> None:
    cluster = Scripted(lambda now: known())
    cluster.deployments = [rolled_out("app-v2")]
    bare = pod("app-v2-1", app="app", version="v2")
    del bare["spec"]["initContainers"]
    cluster.pods = [bare]
    assert "has no istio-proxy container" in cluster.wait({"ready": ["app-v2"]}).missing[0]


@pytest.mark.parametrize(
    ("deployments", "pods", "missing"),
    [
        ([], [], []),
        ([rolled_out("app-v2")], [], ["Deployment app-v2 is still there"]),
        ([], [pod("a-1", app="app", version="v2")], ["pod a-1 has not ended yet"]),
        ([rolled_out("app-v1")], [pod("a-1", app="app", version="v1")], []),
    ],
)
def test_pods_are_gone(deployments: Any, pods: Any, missing: list[str]) -> None:
    cluster = Scripted(lambda now: "")
    cluster.deployments, cluster.pods = deployments, pods
    assert cluster.wait({"gone": ["app-v2"]}, timeout=1).missing == missing
