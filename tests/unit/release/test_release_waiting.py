# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import evidence, waiting
from ansible_collections.roost.cluster.plugins.module_utils.release.cluster import (
    Refused,
    Unreachable,
)

PLACE = waiting.Place("digits", "digits", "istio-system", {"istio": "ingressgateway"})
CLUSTER = "outbound|8080|v2|app.digits.svc.cluster.local"


def pod(name: str, ready: bool = True, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "digits", "uid": name, "labels": labels},
        "spec": {"containers": [{"name": "app"}], "initContainers": [{"name": "istio-proxy"}]},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


class Scripted:
    """A cluster whose answers are given by the time."""

    def __init__(self, page: Callable[[float], str], gateways: int = 1) -> None:
        self.page, self.now = page, 0.0
        self.asked: list[str] = []
        self.gateways = [pod(f"gateway-{index}") for index in range(gateways)]
        self.pods: list[dict[str, Any]] = []
        self.deployments: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.failing: Exception | None = None

    def get(self, item: Any) -> Any:
        raise AssertionError

    def serves(self, kind: str) -> bool:
        raise AssertionError

    def dry_run(self, item: Any) -> Any:
        raise AssertionError

    def list(self, kind: str, namespace: Any = None, selector: str = "", fields: str = "") -> Any:
        if self.failing and self.now < 3:
            raise self.failing
        if kind == "Pod":
            return self.gateways if namespace == "istio-system" else self.pods
        return {"Deployment": self.deployments, "Event": self.events}[kind]

    def execute(self, namespace: str, name: str, container: str, command: Sequence[str]) -> str:
        self.asked.append(name)
        return self.page(self.now)

    def log(self, namespace: str, name: str, container: str, lines: int) -> str:
        return "Traceback\nValueError: no model"

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


def test_a_proxy_that_gives_no_answer_is_named() -> None:
    def broken(now: float) -> str:
        raise Refused(0, "exec in gateway-0: connection closed")

    outcome = Scripted(broken).wait({"gateway_clusters": {CLUSTER: 1}})
    assert "the proxy of gateway-0 can't be asked: exec in gateway-0" in outcome.missing[0]


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


# Why it failed.


def waiting_pod(**state: Any) -> dict[str, Any]:
    item = pod("app-v2-abc-1", ready=False, app="app", version="v2")
    item["status"]["containerStatuses"] = [
        {"name": "app", "ready": False, "restartCount": 2, "state": state}
    ]
    return item


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"waiting": {"reason": "ErrImagePull", "message": "no"}}, "ErrImagePull: no"),
        ({"waiting": {"reason": "CrashLoopBackOff"}}, "container app: CrashLoopBackOff"),
        ({"terminated": {"reason": "Error", "exitCode": 1}}, "Error with code 1"),
        ({"running": {}}, "runs, but is not ready (2 restarts)"),
    ],
)  # fmt: skip
def test_a_container_says_why(state: Any, said: str) -> None:
    lines = evidence.pod_lines(waiting_pod(**state), lambda name, container: "last words")
    assert said in lines[0]
    assert lines[1] == "  | last words"


def test_a_pod_without_a_node_says_why() -> None:
    item = pod("app-v2-abc-1", ready=False)
    item["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    ]
    assert evidence.pod_lines(item, lambda *_: "") == [
        "pod app-v2-abc-1 has no node: 0/3 nodes are available"
    ]


def test_events_of_these_deployments_only_the_last() -> None:
    def event(name: str, minute: int) -> dict[str, Any]:
        return {
            "reason": "FailedCreate",
            "message": f"forbidden {minute}",
            "lastTimestamp": f"2026-01-01T00:{minute:02}:00Z",
            "involvedObject": {"kind": "ReplicaSet", "name": name},
        }

    events = [event("app-v2-5d", minute) for minute in range(9)] + [event("app-v20-1", 10)]
    lines = evidence.event_lines(events, ["app-v2"])
    assert len(lines) == 5
    assert lines[-1] == "event FailedCreate of ReplicaSet app-v2-5d: forbidden 8"


def test_evidence_is_gathered_for_what_is_not_ready() -> None:
    cluster = Scripted(lambda now: "")
    cluster.pods = [waiting_pod(running={}), pod("app-v2-abc-2", app="app", version="v2")]
    lines = evidence.gather(cluster, "digits", "digits", ["app-v2"])
    assert any("ValueError: no model" in line for line in lines)
    assert not any("abc-2" in line for line in lines)


def test_evidence_that_can_not_be_had_is_no_second_failure() -> None:
    cluster = Scripted(lambda now: "")
    cluster.failing = Refused(403, "events is forbidden")
    assert evidence.gather(cluster, "digits", "digits", ["app-v2"]) == [
        "nothing more is known: events is forbidden"
    ]
