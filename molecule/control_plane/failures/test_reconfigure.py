# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings with which something doesn't run, and a control plane that doesn't answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import REPOSITORY
from tests.plans import Plan

FILE = "/var/lib/kubelet/config.yaml"
# Not by the fixture `api`: other tests have made another cluster since it was made.
KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.conf --namespace=kube-system"
MANIFEST = "/etc/kubernetes/manifests/kube-scheduler.yaml"


def test_a_kubelet_that_refuses_its_configuration_has_the_old_one(converge: Any, host: Any) -> None:
    before = host.file(FILE).content_string
    ran = converge("-e", json.dumps({"kubelet_configuration": {"maxPods": -5}}))
    assert ran.code != 0
    assert "kubelet doesn't run with the new configuration" in ran.output
    assert "maxPods" in ran.output, "the reason is kubelet's own"
    assert host.file(FILE).content_string == before
    assert host.service("kubelet").is_running
    stored = host.check_output(f"{KUBECTL} get configmap kubelet-config --output=yaml")
    assert "kind: KubeletConfiguration" in stored
    assert "maxPods" not in stored, "no other machine gets it"
    assert unchanged(converge)


def test_a_scheduler_that_refuses_its_arguments_has_the_old_ones(converge: Any, host: Any) -> None:
    before = host.file(MANIFEST).content_string
    wrong = {"scheduler": {"extraArgs": [{"name": "no-such-flag", "value": "1"}]}}
    ran = converge("-e", json.dumps({"control_plane_cluster_configuration": wrong}))
    assert ran.code != 0
    assert "kube-scheduler doesn't answer" in ran.output
    assert "unknown flag: --no-such-flag" in ran.output
    assert host.file(MANIFEST).content_string == before
    assert unchanged(converge)


def test_another_version_is_refused_before_anything_is_replaced(playbook: Any, host: Any) -> None:
    binaries = "sha256sum /usr/local/bin/kubelet /usr/local/bin/kubeadm"
    before = host.check_output(binaries)
    ran = playbook(
        REPOSITORY / "playbooks" / "cluster.yml", "-e", "preflight_kubernetes_version=v1.99.0"
    )
    assert ran.code != 0
    assert "Kubernetes: found a control plane of v1." in ran.output
    assert "expected v1.99.0, which the bundle holds" in ran.output
    assert host.check_output(binaries) == before
    assert all(counts["changed"] == 0 for counts in ran.recap.values())


def unchanged(converge: Any) -> bool:
    ran = converge("--check", "--diff")
    return bool(ran.code == 0 and all(counts["changed"] == 0 for counts in ran.recap.values()))


def test_a_control_plane_that_does_not_answer_has_a_plan(
    playbook: Any, converge: Any, host: Any, tmp_path: Path
) -> None:
    """What can't be known isn't made up, and the plan says that it isn't complete."""
    host.check_output("systemctl stop kubelet && pkill -x kube-apiserver")
    target = tmp_path / "plan.json"
    ran = playbook(
        REPOSITORY / "playbooks" / "site.yml",
        *("--check", "--diff", "-e", f"plan_file={target}"),
        ANSIBLE_CALLBACKS_ENABLED="roost.cluster.plan",
    )
    assert ran.code == 0, ran.output
    plan = Plan(json.loads(target.read_text()))
    assert plan.of("control", "control_plane")[0]["what"] == "control plane: recover"
    assert plan.document["complete"] is False
    unknown = {entry["role"] for entry in plan.document["unknown"]}
    assert unknown >= {"control_plane", "pod_network", "istio", "release"}
    assert plan.of("localhost", "istio") == []
    assert converge().code == 0
    assert unchanged(converge)


@pytest.fixture(autouse=True)
def _kubelet_runs(host: Any) -> Any:
    """Whatever happens, the machines are left with a kubelet."""
    yield
    host.run("systemctl reset-failed kubelet; systemctl start kubelet")
