# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the playbooks make of the cluster's options and hand to the roles, by Ansible itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import roles
from tests.unit.playbook import run_playbook, shown

REPOSITORY = Path(__file__).resolve().parents[3]
MINE = {
    "http_proxy": "http://proxy.example:3128",
    "no_proxy": [".lab.example"],
    "extra_hosts": {"api.example.org": "192.168.56.100", "worker-1": "192.0.2.9"},
    "kubelet_configuration": {
        "maxPods": 60,
        "systemReserved": {"cpu": "100m"},
        "kubeReserved": {"memory": "200Mi"},
        "evictionHard": {"memory.available": "500Mi"},
    },
    "kube_proxy_configuration": {"mode": "nftables"},
    "api_endpoint": "api.example.org:8443",
    "registry_port": 5001,
    "control_plane_extra_sans": ["api.example.org"],
    "control_plane_cluster_configuration": {"apiServer": {"extraArgs": []}},
    "pod_network_backend": "host-gw",
    "istio_operator_spec": {"meshConfig": {"accessLogFile": "/dev/stdout"}},
}
# On a machine that is a container, in the role's place.
SHOW = """
- hosts: control
  gather_facts: false
  tasks:
    - name: Show what the roles get
      ansible.builtin.debug:
        msg: "{{ given }}"
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Options of roles by name, with MINE in group_vars/all beside the inventory's own files."""
    folder = tmp_path_factory.mktemp("options")
    shutil.copytree(REPOSITORY / "inventory", folder / "inventory")
    (folder / "inventory" / "settings.roost.yml").unlink()
    (folder / "inventory" / "group_vars" / "all" / "mine.yml").write_text(yaml.safe_dump(MINE))
    (folder / "inventory" / "more.yml").write_text(
        yaml.safe_dump({"all": {"children": {"provider_docker": {"hosts": {"control": {}}}}}})
    )
    needs_more = ("bundle", "roost_", "release", "nodes_of_this_run")
    wanted = {
        name: text
        for name, text in roles.passed().items()
        if not any(word in text for word in needs_more)
    }
    for role, spec in roles.specs().items():
        defaults = yaml.safe_load((REPOSITORY / f"roles/{role}/defaults/main.yml").read_text())
        for name in spec["options"]:
            if name in MINE:
                wanted[name] = f"{{{{ {name} }}}}"
                assert name in defaults
    [play] = yaml.safe_load(SHOW)
    playbook = folder / "playbook.yml"
    playbook.write_text(yaml.safe_dump([{**play, "vars": {"given": wanted}}]))
    found: dict[str, Any] = shown(run_playbook(playbook, "--inventory=inventory"))
    return found


def test_no_proxy_has_machines_and_networks(given: dict[str, Any]) -> None:
    assert given["container_runtime_http_proxy"] == "http://proxy.example:3128"
    assert given["container_runtime_no_proxy"] == [
        ".lab.example",
        "192.168.56.100",
        "192.168.56.101",
        "192.168.56.102",
        "10.244.0.0/16",
        "10.96.0.0/12",
        ".svc",
        ".cluster.local",
    ]


def test_extra_names_come_beside_the_machines_and_never_in_their_place(
    given: dict[str, Any],
) -> None:
    assert given["node_hosts"] == {
        "api.example.org": "192.168.56.100",
        "control": "192.168.56.100",
        "worker-1": "192.168.56.101",
        "worker-2": "192.168.56.102",
    }


def test_kubelets_configuration_is_merged_over_what_the_machines_need(
    given: dict[str, Any],
) -> None:
    found = given["control_plane_kubelet_configuration"]
    assert (found["maxPods"], found["failSwapOn"]) == (60, False)
    assert found["systemReserved"] == {"cpu": "100m"}
    assert found["kubeReserved"] == {"memory": "200Mi"}
    assert found["evictionHard"]["memory.available"] == "500Mi"
    assert found["evictionHard"]["nodefs.available"] == "0%"
    proxy = given["control_plane_kube_proxy_configuration"]
    assert (proxy["mode"], proxy["conntrack"]["min"]) == ("nftables", 0)


def test_the_endpoint_and_the_ports_that_must_be_free_follow(given: dict[str, Any]) -> None:
    assert given["control_plane_endpoint"] == given["worker_endpoint"] == "api.example.org:8443"
    ports = [item["port"] for item in given["preflight_ports"]]
    assert {8443, 5001} < set(ports)
    assert not {6443, 5000} & set(ports)


@pytest.mark.parametrize(
    "name",
    [
        "control_plane_extra_sans",
        "control_plane_cluster_configuration",
        "pod_network_backend",
        "istio_operator_spec",
    ],
)
def test_what_no_playbook_sets_is_taken_as_it_is(name: str, given: dict[str, Any]) -> None:
    assert name not in roles.passed()
    assert given[name] == MINE[name]
