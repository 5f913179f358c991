# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster on machines of one's own, of four systems, from the first login to pods that answer.

The tests stand in the order in which they run: refused, one worker behind a firewall, the release
on it, two more workers, again.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from kubernetes import client, config

from tests.faults import bundle_cache
from tests.pods import Pods, get
from tests.real_machines.conftest import SYSTEMS
from tests.real_machines.machines import Machines

CENTOS = 'ID="centos"\nVERSION_ID="7"\nPRETTY_NAME="CentOS Linux 7 (Core)"\n'
WORKERS = [name for name in SYSTEMS if name != "control"]
PODS = "10.244.0.0/16"
CONFIDENCE = "verify_confidence=0.9999"


def api_of(machines: Machines) -> Any:
    """The Kubernetes API, asked with the kubeconfig that was fetched."""
    kubeconfig = machines.folder / ".kube" / "config"
    return client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))


def systems(api: Any) -> dict[str, str]:
    """What the cluster says of the nodes that are Ready."""
    return {
        node.metadata.name: node.status.node_info.os_image
        for node in api.list_node().items
        if any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)
    }


@pytest.fixture(scope="session")
def image() -> str:
    """One with Python, of the bundle."""
    lock = json.loads((bundle_cache() / "bundle.lock").read_text())
    return str(lock["components"]["app-v1"]["name"])


def statuses(api: Any, image: str, nodes: list[str]) -> dict[tuple[str, str], int]:
    """What a pod on each node is answered by the service of a pod on each other."""
    with Pods(api, image, {}) as pods:
        for node in nodes:
            pods.start(node, node=node)
            pods.serve(node)
        for node in nodes:
            pods.wait(node)
        return {
            (one, other): status(pods, one, f"http://{other}:8080/")
            for one in nodes
            for other in nodes
            if one != other
        }


def status(pods: Pods, asking: str, url: str) -> int:
    """What is answered in the end: kube-proxy on each node learns of a pod after it is ready."""
    until = time.monotonic() + 20
    while (answer := pods.ask(asking, url)).status != 200 and time.monotonic() < until:
        print(f"{asking} asks {url}: {answer.body}")
        time.sleep(0.5)
    return answer.status


def test_machines_that_can_be_no_nodes_are_refused_with_all_reasons(machines: Machines) -> None:
    """Nobody is changed, and each is named: no rights, another system, IPv6 alone, too small."""
    with (
        machines.without("control", "/usr/sbin/iptables"),
        machines.another_system("worker-2", CENTOS),
        machines.only_ipv6("worker-3") as address,
    ):
        machines.list_workers(
            *WORKERS,
            control={"preflight_min_memory_mb": 99000000, "preflight_min_cpus": 9000},
            worker_1={"ansible_become_password": "another"},
            worker_2={"ansible_python_interpreter": "/usr/bin/python2.7"},
            worker_3={"ansible_host": address, "node_ip": "fd00::13"},
        )
        ran = machines.play("cluster")
    assert ran.code != 0
    assert ran.changed == 0
    assert {name for name, counts in ran.recap.items() if counts["unreachable"]} == set()
    for said in (
        r"control: memory: found \d+ MiB, expected 99000000 MiB or more; give the machine more",
        r"control: processors: found \d+, expected 9000 or more; give the machine more",
        "control: command iptables: found nothing, expected an executable of that name; install",
        r"worker-1: rights: found the user ops can't become root \(Incorrect sudo password\), "
        "expected root rights by sudo; allow it in the machine's sudoers",
        r"worker-2: operating system: found CentOS Linux 7 \(Core\), expected debian 12 or debian "
        "13 or ubuntu 22.04 or ubuntu 24.04; install one of these systems",
        r"worker-2: Python: found none, expected 3.9 or newer; install it",
        r"worker-3: network: found no IPv4 address, expected an IPv4 address; give the machine one",
        r"worker-3: node_ip: found fd00::13, expected an IPv4 address; correct the inventory",
    ):
        assert re.search(said, ran.said), said


def test_the_first_worker_joins_behind_firewalls_that_let_in_what_was_told(
    machines: Machines, image: str
) -> None:
    machines.list_workers("worker-1")
    nodes = ["control", "worker-1"]
    for name in nodes:
        machines.close_by_nftables(name, ["22/tcp"], PODS)
    checked = machines.play("cluster", "--check")
    told = {}
    for name in nodes:
        found = re.search(
            rf"{name}: a firewall is active \(nftables chain inet own in with policy drop, "
            r"nftables chain inet own through with policy drop\): expected that it lets in "
            rf"([^()]*?), lets in everything from the pods' network {PODS}, and forwards",
            checked.said,
        )
        assert found, name
        told[name] = found[1].split(", ")
        machines.close_by_nftables(name, told[name], PODS)
    assert "6443/tcp" in told["control"]
    assert "6443/tcp" not in told["worker-1"]
    ran = machines.play("site", "-e", CONFIDENCE)
    assert ran.code == 0
    api = api_of(machines)
    assert set(systems(api)) == set(nodes)
    assert "Debian GNU/Linux 13" in systems(api)["worker-1"]
    assert set(statuses(api, image, nodes).values()) == {200}


def test_with_one_worker_spreading_is_a_wish_and_verify_says_so(machines: Machines) -> None:
    ran = machines.play("verify", "-e", CONFIDENCE, "-e", "verify_requests=500")
    assert ran.code == 0
    assert "– services on every worker does not apply with 1 worker" in ran.said
    assert spreading(machines) == {"ScheduleAnyway"}
    address = machines.addresses["control"]
    assert get(f"http://{address}:30080/api/version").status == 200


def spreading(machines: Machines) -> set[str]:
    apps = client.AppsV1Api(api_of(machines).api_client)
    return {
        constraint.when_unsatisfiable
        for deployment in apps.list_namespaced_deployment("digits").items
        for constraint in deployment.spec.template.spec.topology_spread_constraints
    }


def test_machines_of_other_systems_join(machines: Machines, image: str) -> None:
    machines.list_workers(*WORKERS)
    machines.close_by_ufw("worker-2", ["22/tcp", "10250/tcp", "8472/udp", "30080/tcp"], PODS)
    ran = machines.play("cluster")
    assert ran.code == 0
    assert "worker-2: a firewall is active (ufw): expected that it lets in 22/tcp, 10" in ran.said
    assert ran.recap["worker-3"]["changed"] > 0
    api = api_of(machines)
    found = systems(api)
    assert set(found) == set(SYSTEMS)
    assert "Debian GNU/Linux 12" in found["control"]
    assert "Ubuntu 24.04" in found["worker-2"]
    assert "Ubuntu 22.04" in found["worker-3"]
    assert set(statuses(api, image, list(SYSTEMS)).values()) == {200}


def test_with_more_workers_the_release_is_spread(machines: Machines) -> None:
    ran = machines.play("release")
    assert ran.code == 0
    assert spreading(machines) == {"DoNotSchedule"}
    pods = api_of(machines).list_namespaced_pod("digits").items
    assert len({pod.spec.node_name for pod in pods}) > 1


def test_a_second_run_changes_nothing(machines: Machines) -> None:
    ran = machines.play("site", "-e", CONFIDENCE)
    assert ran.code == 0
    assert ran.changed == 0
