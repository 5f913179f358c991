# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventory plugin: what it makes of hosts.yml and the recorded settings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible_collections.roost.cluster.plugins.inventory import settings as plugin

from host import cluster_settings
from host.cluster_settings import Paths, Settings

REPOSITORY = Path(__file__).resolve().parents[3]
ROOT = Path("/checkout")
CONTROL = {"control": "192.168.56.100"}
WORKERS = {"worker-1": "192.168.56.101", "worker-2": "192.168.56.102"}


def settings(**changed: Any) -> dict[str, Any]:
    return {**vars(Settings("lab")), **changed}


def plan(cluster: str = "lab", **changed: Any) -> plugin.Plan:
    return plugin.plan(ROOT, cluster, settings(**changed), CONTROL, WORKERS)


# -- The plan -------------------------------------------------------------------------------


def test_machines_of_ones_own_are_left_as_they_are_written() -> None:
    planned = plugin.plan(ROOT, "roost", None, CONTROL, WORKERS)
    assert planned == plugin.Plan(
        {
            "roost_cluster": "roost",
            "roost_kubeconfig": "/checkout/.kube/config",
            "roost_provider": "none",
        }
    )


def test_every_playbook_knows_the_cluster() -> None:
    assert plan(http_port=9080).all_vars == {
        "roost_cluster": "lab",
        "roost_kubeconfig": "/checkout/.roost/lab/kubeconfig",
        "roost_provider": "docker",
        "roost_subnet": "192.168.56.0/24",
        "roost_http_port": 9080,
        "roost_https_port": 8443,
        "roost_app_url": "http://127.0.0.1:9080",
    }


def test_a_host_keeps_the_last_part_of_its_address() -> None:
    planned = plan(subnet="10.7.3.0/24")
    assert {host: values["ansible_host"] for host, values in planned.host_vars.items()} == {
        "control": "10.7.3.100",
        "worker-1": "10.7.3.101",
        "worker-2": "10.7.3.102",
    }
    assert all(each["node_ip"] == each["ansible_host"] for each in planned.host_vars.values())


@pytest.mark.parametrize(
    ("cluster", "provider", "key"),
    [
        ("roost", "docker", "/checkout/.vagrant/machines/control/docker/private_key"),
        ("lab", "docker", "/checkout/.roost/lab/vagrant/machines/control/docker/private_key"),
        ("roost", "libvirt", "/checkout/.vagrant/machines/control/libvirt/private_key"),
    ],
)
def test_the_key_is_the_one_that_vagrant_made(cluster: str, provider: str, key: str) -> None:
    control = plan(cluster, provider=provider).host_vars["control"]
    assert control["ansible_ssh_private_key_file"] == key
    assert (control["ansible_user"], control["ansible_port"]) == ("vagrant", 22)


def test_host_keys_are_remembered_for_this_cluster_alone() -> None:
    options = plan().host_vars["control"]["ansible_ssh_common_args"].split(" -o ")
    assert "UserKnownHostsFile=/checkout/.roost/lab/known_hosts" in options
    assert "StrictHostKeyChecking=accept-new" in options


@pytest.mark.parametrize(
    ("number", "workers", "removed"),
    [
        (1, {"worker-1": 101}, ["worker-2"]),
        (2, {"worker-1": 101, "worker-2": 102}, []),
        (4, {"worker-1": 101, "worker-2": 102, "worker-3": 103, "worker-4": 104}, []),
    ],
)
def test_there_are_as_many_workers_as_recorded(
    number: int, workers: dict[str, int], removed: list[str]
) -> None:
    planned = plan(workers=number)
    assert planned.groups["workers"] == list(workers)
    assert planned.removed == removed
    assert {
        host: values["node_ip"] for host, values in planned.host_vars.items() if host != "control"
    } == {host: f"192.168.56.{octet}" for host, octet in workers.items()}


@pytest.mark.parametrize(
    ("provider", "group"),
    [("docker", "provider_docker"), ("virtualbox", "provider_vm"), ("libvirt", "provider_vm")],
)
def test_the_provider_is_a_group_of_all_machines(provider: str, group: str) -> None:
    groups = plan(provider=provider).groups
    assert groups[group] == ["control", "worker-1", "worker-2"]
    assert set(groups) == {"workers", group}


def test_a_listed_host_without_an_ipv4_address_is_named() -> None:
    with pytest.raises(AnsibleParserError, match=r"hosts\.yml: .*'node-a'; expected an IPv4"):
        plugin.plan(ROOT, "lab", settings(), {"control": "node-a"}, WORKERS)


# -- As Ansible reads it --------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The inventory's two files in a folder of their own."""
    (tmp_path / "inventory").mkdir()
    for name in ("hosts.yml", "settings.roost.yml"):
        (tmp_path / "inventory" / name).write_bytes((REPOSITORY / "inventory" / name).read_bytes())
    return tmp_path


def ansible(checkout: Path, cluster: str = "") -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("ansible-inventory"))
    return subprocess.run(
        [program, "-i", "inventory", "--list"],
        cwd=checkout,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_CALLBACKS_ENABLED": "",
            "ROOST_CLUSTER": cluster,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def listing(checkout: Path, cluster: str = "") -> dict[str, Any]:
    done = ansible(checkout, cluster)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_fresh_clone_lists_the_machines_of_the_design(checkout: Path) -> None:
    found = listing(checkout)
    hosts = found["_meta"]["hostvars"]
    assert {host: values["ansible_host"] for host, values in hosts.items()} == {
        **CONTROL,
        **WORKERS,
    }
    assert found["control_plane"]["hosts"] == ["control"]
    assert found["workers"]["hosts"] == ["worker-1", "worker-2"]
    assert sorted(found["cluster"]["children"]) == ["control_plane", "workers"]
    assert not {"provider_docker", "provider_vm"} & set(found)
    assert hosts["control"]["roost_provider"] == "none"
    assert "ansible_user" not in hosts["control"]


def test_recorded_settings_come_after_hosts_yml(checkout: Path) -> None:
    cluster_settings.write(
        Paths(checkout, "lab"), Settings("lab", subnet="10.7.3.0/24", workers=3, http_port=9080)
    )
    found = listing(checkout, "lab")
    hosts = found["_meta"]["hostvars"]
    assert found["workers"]["hosts"] == ["worker-1", "worker-2", "worker-3"]
    assert found["provider_docker"]["hosts"] == ["control", "worker-1", "worker-2", "worker-3"]
    assert hosts["worker-3"]["ansible_host"] == hosts["worker-3"]["node_ip"] == "10.7.3.103"
    assert hosts["control"]["roost_app_url"] == "http://127.0.0.1:9080"
    assert hosts["control"]["roost_kubeconfig"] == f"{checkout}/.roost/lab/kubeconfig"


def test_fewer_workers_leave_no_trace_of_the_others(checkout: Path) -> None:
    cluster_settings.write(Paths(checkout, "roost"), Settings(workers=1))
    found = listing(checkout)
    assert sorted(found["_meta"]["hostvars"]) == ["control", "worker-1"]
    assert found["_meta"]["hostvars"]["control"]["roost_kubeconfig"] == f"{checkout}/.kube/config"


def test_a_cluster_that_was_never_made_is_an_error(checkout: Path) -> None:
    cluster_settings.write(Paths(checkout, "roost"), Settings())
    done = ansible(checkout, "typo")
    assert done.returncode != 0
    assert "the cluster typo has no settings" in done.stderr
    assert "ROOST_CLUSTER=typo make up" in done.stderr


@pytest.mark.parametrize(
    ("text", "words"), [("provider: docker\n", "workers missing"), ("- 1\n", "missing"), ("{", "")]
)
def test_a_damaged_settings_file_is_an_error(
    checkout: Path, text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROOST_CLUSTER", raising=False)
    path = Paths(checkout, "roost").settings
    path.parent.mkdir(parents=True)
    path.write_text(text)
    inventory = InventoryData()
    inventory.add_host("control")
    source = checkout / "inventory" / "settings.roost.yml"
    with pytest.raises(AnsibleParserError, match=re.escape(str(path))) as refused:
        inventory_loader.get(plugin.InventoryModule.NAME).parse(
            inventory, DataLoader(), str(source), cache=False
        )
    assert words in str(refused.value)
    # Where Ansible takes the error for a warning, no machine of another cluster is left.
    assert inventory.hosts == {}


def test_hosts_yml_and_the_settings_defaults_agree() -> None:
    data = yaml.safe_load((REPOSITORY / "inventory" / "hosts.yml").read_text())
    groups = data["all"]["children"]["cluster"]["children"]
    defaults = Settings()
    assert len(groups["workers"]["hosts"]) == defaults.workers
    prefix = defaults.subnet.removesuffix("0/24")
    for group in groups.values():
        for variables in group["hosts"].values():
            assert variables["ansible_host"].startswith(prefix)
