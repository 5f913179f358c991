# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pods on two machines talk, to each other and to the rest, over the private network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, ip_address
from typing import Any

import pytest

from tests.pods import PORT, Pods, condition

PLACES = {"one": "worker-1", "two": "worker-2"}
POD_NETWORK = IPv4Network("10.244.0.0/16")
MEGABYTES = 8


@pytest.fixture(scope="module")
def two(pods: Pods) -> Iterator[dict[str, str]]:
    """The addresses of a pod on each worker."""
    for name, node in PLACES.items():
        pods.start(name, node)
        pods.serve(name)
    yield {name: pods.wait(name).status.pod_ip for name in PLACES}


def test_every_node_may_run_pods(api: Any, addresses: dict[str, str]) -> None:
    nodes = {node.metadata.name: node for node in api.list_node().items}
    assert set(nodes) == set(addresses)
    for name, node in nodes.items():
        assert condition(node, "Ready") == "True", name
        taints = {taint.key for taint in node.spec.taints or []}
        assert taints <= {"node-role.kubernetes.io/control-plane"}, name


def test_names_are_served_from_two_machines(api: Any, eventually: Any) -> None:
    """Once the pods that kubeadm's template has made are gone; nobody waits for that."""

    def ready() -> tuple[int, int]:
        listed = api.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-dns").items
        places = [pod.spec.node_name for pod in listed if condition(pod, "Ready") == "True"]
        return len(places), len(set(places))

    eventually(ready, (2, 2), 60)


def test_each_node_has_addresses_of_its_own(api: Any, two: dict[str, str]) -> None:
    networks = {
        node.metadata.name: IPv4Network(node.spec.pod_cidr) for node in api.list_node().items
    }
    assert all(network.subnet_of(POD_NETWORK) for network in networks.values())
    assert len(set(networks.values())) == len(networks)
    for name, node in PLACES.items():
        assert ip_address(two[name]) in networks[node]


def test_pods_on_different_machines_talk(pods: Pods, two: dict[str, str]) -> None:
    """And each sees the other's own address, not one of a machine in between."""
    for asking, asked in (("one", "two"), ("two", "one")):
        answer = pods.ask(asking, f"http://{two[asked]}:{PORT}/")
        assert answer.status == 200, answer.body
        assert answer.document["pod"] == asked
        assert answer.document["peer"] == two[asking]


def bytes_sent(machine: Any) -> dict[str, int]:
    """What each of a machine's two networks has sent so far."""
    return {
        name: int(machine.file(f"/sys/class/net/{name}/statistics/tx_bytes").content_string)
        for name in ("eth0", "eth1")
    }


def test_much_goes_through_whole_and_over_the_private_network(
    pods: Pods, two: dict[str, str], machine: Callable[[str], Any]
) -> None:
    """Packets that are too big for the way would get lost, and the answer with them."""
    size = MEGABYTES * 1024 * 1024
    sender = machine(PLACES["two"])
    before = bytes_sent(sender)
    answer = pods.ask("one", f"http://{two['two']}:{PORT}/bytes/{size}", seconds=30)
    after = bytes_sent(sender)
    assert len(answer.body) == size
    assert after["eth1"] - before["eth1"] > size
    assert after["eth0"] - before["eth0"] < size / 8


def test_a_machine_reaches_pods_of_another(
    machine: Callable[[str], Any], two: dict[str, str]
) -> None:
    fetch = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).status)"
    for name in ("control", PLACES["one"]):
        url = f"http://{two['two']}:{PORT}/"
        assert machine(name).check_output("python3 -c %s %s", fetch, url) == "200"


def test_what_stood_in_line_runs(api: Any, bundle: dict[str, Any], eventually: Any) -> None:
    """The cluster's name server has waited for the network; the tests after this one ask it."""

    def waiting() -> list[str]:
        found = api.list_namespaced_pod("kube-system").items
        return [pod.metadata.name for pod in found if condition(pod, "Ready") != "True"]

    eventually(waiting, [], 60)


def test_a_pod_finds_a_service_by_its_name(pods: Pods, two: dict[str, str], api: Any) -> None:
    """By the cluster's name server, of which it knows no more than the name."""
    full = f"two.{pods.namespace}.svc.cluster.local"
    address = api.read_namespaced_service("two", pods.namespace).spec.cluster_ip
    for name in ("two", full):
        assert pods.execute("one", "getent", "hosts", name).split() == [address, full]
    answer = pods.ask("one", f"http://{full}:{PORT}/")
    assert answer.document["pod"] == "two"


def test_a_pod_reaches_the_api_and_the_machines(
    pods: Pods, two: dict[str, str], addresses: dict[str, str]
) -> None:
    connect = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"
    for name in PLACES:
        pods.execute(name, "python3", "-c", connect, "kubernetes.default.svc", "443")
        for address in addresses.values():
            pods.execute(name, "python3", "-c", connect, address, "10250")
