# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a machine could become a node: asked of kubeadm, which would make it one."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

PLACES = {
    "kubelet": "/usr/local/bin/kubelet",
    "kubeadm": "/usr/local/bin/kubeadm",
    "kubectl": "/usr/local/bin/kubectl",
}
# Without a version kubeadm would ask the internet for one, and it would pull all images.
CONFIGURATION = """
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {{imagePullPolicy: Never}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: {version}
"""
# What is the host's.
OF_CONTAINERS = ("SystemVerification", "Swap", "NumCPU", "Mem")


@pytest.mark.parametrize("name", PLACES)
def test_a_program_is_the_bundles(host: Any, bundle: dict[str, Any], name: str) -> None:
    place = host.file(PLACES[name])
    assert place.sha256sum == bundle[name]["sha256"]
    assert (place.user, place.group, oct(place.mode)) == ("root", "root", "0o755")
    assert host.check_output(f"command -v {name}") == PLACES[name]


def test_pods_of_workers_will_find_their_images(
    host: Any, bundle: dict[str, Any], eventually: Any
) -> None:
    """By the names that kubelet will ask for. The role has waited for none of them."""
    wanted = set(host.file("/etc/roost/images").content_string.split())
    is_worker = host.backend.get_hostname() != "control"
    assert (bundle["istio-proxy"]["name"] in wanted) == is_worker

    def missing() -> set[str]:
        return wanted - set(host.check_output("ctr --namespace k8s.io images ls --quiet").split())

    eventually(missing, set(), 120)


def test_kubeadm_finds_the_machine_ready(host: Any, bundle: dict[str, Any]) -> None:
    """Its own checks for a control plane, but for those that a container fails in any case."""
    document = CONFIGURATION.format(version=bundle["kubelet"]["version"])
    ignored = f"--ignore-preflight-errors={','.join(OF_CONTAINERS)}"
    command = f"printf %s | kubeadm init phase preflight --config=/dev/stdin {ignored}"
    done = host.run(command, document)
    assert done.rc == 0, done.stderr
    # What it only warns of would be found out later.
    warnings = [line for line in done.stderr.splitlines() if "[WARNING" in line]
    assert [
        line for line in warnings if not any(f" {each}]" in line for each in OF_CONTAINERS)
    ] == []


def test_kubelet_waits_for_kubeadm(host: Any) -> None:
    """Enabled, and started by a person it neither runs nor fails over and over."""
    assert host.service("kubelet").is_enabled
    host.run_expect([0], "systemctl start kubelet")
    shown = host.check_output(
        "systemctl show --property=ActiveState,NRestarts,ConditionResult kubelet"
    )
    assert sorted(shown.splitlines()) == [
        "ActiveState=inactive",
        "ConditionResult=no",
        "NRestarts=0",
    ]


def test_pods_get_name_servers_that_answer_pods(host: Any) -> None:
    """On container nodes /etc/resolv.conf names Docker's resolver, which only they can reach."""
    lines = host.file("/etc/roost/resolv.conf").content_string.splitlines()
    servers = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    assert servers
    assert not any(ipaddress.ip_address(server).is_loopback for server in servers)
