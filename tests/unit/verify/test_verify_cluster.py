# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.execution import Executed
from ansible_collections.roost.cluster.plugins.module_utils.verify.cluster import (
    Plain,
    Snapshot,
    Wanted,
    judge,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import target

from tests.unit.traffic.fake_app import release

WANTED = Wanted(
    nodes=("control", "worker-1", "worker-2"),
    workers=("worker-1", "worker-2"),
    version="1.36.3",
    namespaces=("kube-system", "istio-system"),
    release=target(release()),
)
READY = [{"type": "Ready", "status": "True"}]
REFUSED = "error trying to reach service: read tcp 10.244.0.0:1->10.244.1.5:8080: EOF"


def node(name: str) -> dict[str, Any]:
    info = {"kubeletVersion": "v1.36.3"}
    return {"metadata": {"name": name}, "status": {"conditions": READY, "nodeInfo": info}}


def pod(namespace: str, name: str, node: str = "control", app: str = "") -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": app}},
        "spec": {"nodeName": node, "containers": [{"name": app}]},
        "status": {"phase": "Running", "conditions": deepcopy(READY)},
    }


def sound() -> Snapshot:
    pods = [pod("kube-system", "etcd-control"), pod("istio-system", "istiod-1")]
    for service in ("app", "model-service"):
        for version in ("v1", "v2"):
            for worker in ("worker-1", "worker-2"):
                name = f"{service}-{version}-{worker}"
                pods.append(pod("digits", name, worker, service))
    workload = {"namespace": "istio-system", "name": "istiod", "generation": 2}
    status = {"readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 2}
    daemon = {"desiredNumberScheduled": 3, "numberReady": 3, "updatedNumberScheduled": 3}
    return Snapshot(
        nodes=[node(name) for name in WANTED.nodes],
        pods=pods,
        deployments=[{"metadata": workload, "spec": {"replicas": 1}, "status": status}],
        daemonsets=[
            {"metadata": {"namespace": "kube-system", "name": "kube-proxy"}, "status": daemon}
        ],
        resolved=("python3", Executed(0, "10.96.0.20\n")),
        plain=(Plain("app", 200, 503, REFUSED), Plain("model-service", 200, 503, REFUSED)),
    )


def broken(snapshot: Snapshot, wanted: Wanted = WANTED) -> dict[str, str]:
    return {item["name"]: item["found"] for item in judge(snapshot, wanted) if not item["ok"]}


def test_a_sound_cluster_breaks_no_promise() -> None:
    assert broken(sound()) == {}
    assert all(item["applies"] for item in judge(sound(), WANTED))


def _without_worker_2(snapshot: Snapshot) -> None:
    del snapshot.nodes[2]


def _unready_node(snapshot: Snapshot) -> None:
    snapshot.nodes[1]["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]


def _old_kubelet(snapshot: Snapshot) -> None:
    snapshot.nodes[1]["status"]["nodeInfo"] = {"kubeletVersion": "v1.35.4"}


def _crashing(snapshot: Snapshot) -> None:
    snapshot.pods[0]["status"] |= {
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
    }


def _no_istiod_pod(snapshot: Snapshot) -> None:
    del snapshot.pods[1]


def _deployment_behind(snapshot: Snapshot) -> None:
    snapshot.deployments[0]["status"]["updatedReplicas"] = 0


def _deployment_unobserved(snapshot: Snapshot) -> None:
    snapshot.deployments[0]["status"]["observedGeneration"] = 1


def _daemonset_short(snapshot: Snapshot) -> None:
    snapshot.daemonsets[0]["status"]["numberReady"] = 2


def _release_pod_pending(snapshot: Snapshot) -> None:
    snapshot.pods[2]["status"] = {"phase": "Pending"}


def _no_model_on_worker_2(snapshot: Snapshot) -> None:
    for item in snapshot.pods:
        if item["metadata"]["name"].startswith("model-service"):
            item["spec"]["nodeName"] = "worker-1"


@pytest.mark.parametrize(
    ("damage", "name", "found"),
    [
        (_without_worker_2, "nodes ready", "worker-2 has not joined"),
        (_unready_node, "nodes ready", "worker-1 is not Ready"),
        (_old_kubelet, "versions as pinned", "worker-1 runs v1.35.4"),
        (_crashing, "system pods up", "pod kube-system/etcd-control: CrashLoopBackOff"),
        (_no_istiod_pod, "system pods up", "namespace istio-system has no pods"),
        (_deployment_behind, "system pods up", "deployment istio-system/istiod: 0 of 1"),
        (_deployment_unobserved, "system pods up", "deployment istio-system/istiod: 0 of 1"),
        (_daemonset_short, "system pods up", "daemonset kube-system/kube-proxy: 2 of 3"),
        (_release_pod_pending, "release pods up", "pod digits/app-v1-worker-1: Pending"),
        (
            _no_model_on_worker_2,
            "services on every worker",
            "model-service: no ready pod on worker-2",
        ),
    ],
)
def test_each_damage_breaks_its_promise(
    damage: Callable[[Snapshot], None], name: str, found: str
) -> None:
    snapshot = sound()
    damage(snapshot)
    failed = broken(snapshot)
    assert list(failed) == [name]
    assert found in failed[name]


def test_pods_that_leave_or_are_done_are_no_problem() -> None:
    snapshot = sound()
    leaving, done = pod("kube-system", "leaving"), pod("kube-system", "job")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    leaving["status"]["conditions"] = []
    done["status"] = {"phase": "Succeeded"}
    snapshot.pods.extend([leaving, done])
    assert broken(snapshot) == {}


def test_an_empty_cluster_keeps_no_promise() -> None:
    empty = Snapshot(nodes=[], pods=[], deployments=[], daemonsets=[])
    assert not any(item["ok"] for item in judge(empty, WANTED))


def test_with_one_worker_the_spread_does_not_apply() -> None:
    judged = judge(sound(), replace(WANTED, workers=("worker-1",)))
    (item,) = (item for item in judged if item["name"] == "services on every worker")
    assert item["ok"] and not item["applies"]
    assert "does not apply with 1 worker" in item["found"]


def test_two_replicas_need_only_two_of_three_workers() -> None:
    wanted = replace(WANTED, workers=(*WANTED.workers, "worker-3"))
    assert broken(sound(), wanted) == {}
    snapshot = sound()
    _no_model_on_worker_2(snapshot)
    assert list(broken(snapshot, wanted)) == ["services on every worker"]


@pytest.mark.parametrize(
    ("resolved", "ok", "applies", "found"),
    [
        (("python3", Executed(0, "10.96.0.20\n")), True, True, "is 10.96.0.20 (by python3)"),
        (("getent", Executed(0, "10.96.0.20   model\n")), True, True, "10.96.0.20 (by getent)"),
        (("python3", Executed(1, "", "Traceback\nsocket.gaierror: no")), False, True, "gaierror"),
        (("getent", Executed(2, "")), False, True, "getent ended with 2"),
        (("getent", Executed(None, "", "no end within 15 s")), False, True, "no end"),
        (("getent", Executed(None, "", "not found", missing=True)), True, False, "not checkable"),
        (None, False, True, "no ready pod"),
    ],
)
def test_a_name_resolves(
    resolved: tuple[str, Executed] | None, ok: bool, applies: bool, found: str
) -> None:
    judged = judge(replace(sound(), resolved=resolved), WANTED)
    (item,) = (item for item in judged if item["name"] == "a cluster name resolves")
    assert (item["ok"], item["applies"]) == (ok, applies)
    assert found in item["found"]
    assert "model-service.digits.svc.cluster.local" in item["expected"]


@pytest.mark.parametrize(
    ("plain", "ok", "applies"),
    [
        ((Plain("app", 200, 503, REFUSED),), True, True),
        ((Plain("app", 200, 200, "<html>"),), False, True),
        # The app's own 503 got through the sidecar.
        ((Plain("app", 200, 503, "busy"),), False, True),
        ((Plain("app", 503, 503, REFUSED),), True, False),
        ((), False, True),
    ],
)
def test_plain_text_must_be_refused(plain: tuple[Plain, ...], ok: bool, applies: bool) -> None:
    judged = judge(replace(sound(), plain=plain), WANTED)
    (item,) = (item for item in judged if item["name"] == "mTLS strict")
    assert (item["ok"], item["applies"]) == (ok, applies)


def test_without_a_version_there_is_nothing_pinned() -> None:
    judged = judge(sound(), replace(WANTED, version=None))
    (item,) = (item for item in judged if item["name"] == "versions as pinned")
    assert item["ok"] and not item["applies"]
