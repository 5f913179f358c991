# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A control plane that differs from its description: what a check run says, and what is applied.

The end of each test is the state at its beginning, for other roles' tests come after.
"""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.command import REPOSITORY
from tests.plans import Plan, read

FILE = "/var/lib/kubelet/config.yaml"
SYSTEM = "kube-system"
ANSIBLE = {"ANSIBLE_CALLBACKS_ENABLED": "roost.cluster.plan"}


@pytest.fixture
def planned(converge: Any, tmp_path: Path) -> Any:
    """Applies the role, or only checks it, and reads the plan."""

    def run(*arguments: str, variables: Any = None) -> Plan:
        target = tmp_path / "plan.json"
        given = ("-e", json.dumps(variables)) if variables else ()
        ran = converge(*arguments, *given, "-e", f"plan_file={target}", **ANSIBLE)
        assert ran.code == 0, ran.output
        plan = read(target)
        assert plan.document["check_mode"] is ("--check" in arguments)
        changed = sum(counts["changed"] for counts in ran.recap.values())
        assert bool(changed) is bool(plan.changes)
        return plan

    return run


def containers(api: Any) -> dict[str, str]:
    """The container of each static pod of the control plane, by its component."""
    pods = api.list_namespaced_pod(SYSTEM, label_selector="tier=control-plane").items
    return {
        pod.metadata.labels["component"]: pod.status.container_statuses[0].container_id
        for pod in pods
    }


def names(plan: Plan) -> list[str]:
    assert {(host, role) for host, role, _what in plan.changes} <= {("control", "control_plane")}
    return [what for _host, _role, what in plan.changes]


def test_a_half_built_cluster_has_a_plan(playbook: Any, tmp_path: Path) -> None:
    """There is an API, and nothing else: no workers, no network, no Istio, no release."""
    target = tmp_path / "plan.json"
    site = REPOSITORY / "playbooks" / "site.yml"
    ran = playbook(site, "--check", "--diff", "-e", f"plan_file={target}", **ANSIBLE)
    assert ran.code == 0, ran.output
    plan = read(target)
    assert set(plan.document["hosts"]) == {"localhost", "worker-1", "worker-2"}
    assert plan.of("worker-2", "worker")[0]["what"] == "worker: join"
    assert set(plan.document["hosts"]["localhost"]) == {"pod_network", "istio", "release"}
    assert {change["why"] for change in plan.of("localhost", "istio")} == {"new"}


def test_a_file_edited_by_hand_is_one_change(planned: Any, host: Any, api: Any) -> None:
    before, process = containers(api), host.check_output("pgrep -x kubelet")
    assert "\nmaxPods:" not in host.file(FILE).content_string
    host.check_output(f"echo 'maxPods: 7' >> {FILE}")
    plan = planned("--check", "--diff")
    assert names(plan) == [f"{FILE} maxPods"]
    [change] = plan.of("control", "control_plane")
    assert (change["before"], change["after"]) == (7, None)
    assert change["why"] == "removed 7; kubelet restarts"
    assert host.check_output("pgrep -x kubelet") == process, "a check run changes nothing"
    assert planned().changes == plan.changes
    assert "\nmaxPods:" not in host.file(FILE).content_string
    assert host.check_output("pgrep -x kubelet") != process
    assert containers(api) == before, "no pod restarts with kubelet"
    assert planned("--check").changes == []


DESCRIBED: dict[str, Any] = {
    "control_plane_extra_sans": ["api.example.org"],
    "control_plane_labels": {"example.org/zone": "a"},
    "control_plane_cluster_configuration": {
        "scheduler": {"extraArgs": [{"name": "kube-api-qps", "value": "60"}]}
    },
    "kubelet_configuration": {"maxPods": 120},
    "kube_proxy_configuration": {"conntrack": {"udpTimeout": "40s"}},
}
EXPECTED = [
    "ClusterConfiguration apiServer.certSANs",
    "ClusterConfiguration scheduler.extraArgs",
    "KubeletConfiguration maxPods",
    "KubeProxyConfiguration conntrack.udpTimeout",
    "label example.org/zone",
]


def certified_names(address: str) -> list[str]:
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(
        ssl.get_server_certificate((address, 6443)).encode()
    )
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


def test_what_is_described_anew_is_applied_and_taken_away_again(
    planned: Any, host: Any, api: Any, addresses: dict[str, str], eventually: Any
) -> None:
    before = containers(api)
    proxies = proxy_pods(api)
    plan = planned("--check", "--diff", variables=DESCRIBED)
    assert names(plan) == EXPECTED
    assert containers(api) == before
    assert planned(variables=DESCRIBED).changes == plan.changes
    assert planned("--check", variables=DESCRIBED).changes == []

    def api_names() -> bool:
        return "api.example.org" in certified_names(addresses["control"])

    # The API server reads its certificate again by itself.
    eventually(api_names, True, 90)
    assert api.read_node("control").metadata.labels["example.org/zone"] == "a"
    assert int(api.read_node("control").status.capacity["pods"]) == 120
    command = host.check_output("tr '\\0' ' ' < /proc/$(pgrep -x kube-scheduler)/cmdline")
    assert "--kube-api-qps=60" in command
    changed = {name for name, container in containers(api).items() if container != before[name]}
    assert changed == {"kube-scheduler"}
    assert proxy_pods(api).isdisjoint(proxies)

    back = planned()
    assert names(back) == EXPECTED
    assert planned("--check").changes == []
    eventually(api_names, False, 90)
    assert "example.org/zone" not in api.read_node("control").metadata.labels


def proxy_pods(api: Any) -> set[str]:
    pods = api.list_namespaced_pod(SYSTEM, label_selector="k8s-app=kube-proxy").items
    return {pod.metadata.uid for pod in pods if not pod.metadata.deletion_timestamp}


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"control_plane_pod_cidr": "10.245.0.0/16"}, "networking.podSubnet: 10.244.0.0/16 → "),
        ({"control_plane_labels": {"zone": True}}, "label zone: its value is True, expected text"),
    ],
)
def test_what_can_not_be_is_refused(
    converge: Any, api: Any, variables: dict[str, Any], told: str
) -> None:
    before = api.read_namespaced_config_map("kubeadm-config", SYSTEM).metadata.resource_version
    ran = converge("-e", json.dumps(variables))
    assert ran.code != 0
    assert told in ran.output
    assert "nothing was changed" in ran.output
    after = api.read_namespaced_config_map("kubeadm-config", SYSTEM).metadata.resource_version
    assert after == before
