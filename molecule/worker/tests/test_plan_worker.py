# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Workers that differ from their description, and labels and taints of nodes that have joined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.plans import Plan, read

FILE = "/var/lib/kubelet/config.yaml"
GPU = {"key": "example.org/gpu", "effect": "NoSchedule"}
DESCRIBED = {"worker_labels": {"example.org/disk": "fast"}, "worker_taints": [GPU]}
WORKERS = ("worker-1", "worker-2")


@pytest.fixture
def planned(converge: Any, tmp_path: Path) -> Any:
    """Applies the role, or only checks it, and reads the plan."""

    def run(*arguments: str, variables: Any = None) -> Plan:
        target = tmp_path / "plan.json"
        given = ("-e", json.dumps(variables)) if variables else ()
        ran = converge(
            *(*arguments, *given, "-e", f"plan_file={target}"),
            ANSIBLE_CALLBACKS_ENABLED="roost.cluster.plan",
        )
        assert ran.code == 0, ran.output
        return read(target)

    return run


def proxies(api: Any) -> set[str]:
    pods = api.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-proxy").items
    return {pod.status.container_statuses[0].container_id for pod in pods}


def test_one_workers_drift_is_one_change(planned: Any, machine: Any, api: Any) -> None:
    worker, before = machine("worker-2"), proxies(api)
    kubelet = worker.check_output("pgrep -x kubelet")
    worker.check_output(f"sed -i 's/^failSwapOn: false/failSwapOn: true/' {FILE}")
    plan = planned("--check", "--diff")
    assert plan.changes == [("worker-2", "worker", f"{FILE} failSwapOn")]
    assert worker.check_output("pgrep -x kubelet") == kubelet, "a check run changes nothing"
    assert planned().changes == plan.changes
    assert worker.file(FILE).contains("^failSwapOn: false")
    assert worker.check_output("pgrep -x kubelet") != kubelet
    assert proxies(api) == before, "no pod restarts with kubelet"
    assert planned("--check").changes == []


def marks(api: Any, name: str) -> tuple[str | None, list[str]]:
    node = api.read_node(name)
    taints = [taint.key for taint in node.spec.taints or []]
    return node.metadata.labels.get("example.org/disk"), taints


def test_labels_and_taints_come_and_go(planned: Any, api: Any) -> None:
    before = {name: marks(api, name) for name in WORKERS}
    api.patch_node("worker-1", {"metadata": {"labels": {"theirs": "1"}}})
    plan = planned("--check", "--diff", variables=DESCRIBED)
    wanted = ("label example.org/disk", "taint example.org/gpu:NoSchedule")
    assert sorted(plan.changes) == [(name, "worker", what) for name in WORKERS for what in wanted]
    assert {name: marks(api, name) for name in WORKERS} == before
    assert sorted(planned(variables=DESCRIBED).changes) == sorted(plan.changes)
    for name in WORKERS:
        label, taints = marks(api, name)
        assert label == "fast"
        assert taints == [*before[name][1], GPU["key"]]
    assert planned("--check", variables=DESCRIBED).changes == []

    api.patch_node("worker-2", {"metadata": {"labels": {"example.org/disk": "slow"}}})
    drifted = planned("--check", variables=DESCRIBED)
    assert drifted.changes == [("worker-2", "worker", "label example.org/disk")]
    planned(variables=DESCRIBED)

    back = planned()
    assert sorted(back.changes) == sorted(plan.changes)
    assert {name: marks(api, name) for name in WORKERS} == before
    assert api.read_node("worker-1").metadata.labels["theirs"] == "1"
    api.patch_node("worker-1", {"metadata": {"labels": {"theirs": None}}})
    assert planned("--check").changes == []
