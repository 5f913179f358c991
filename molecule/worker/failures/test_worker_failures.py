# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Workers that can't join, and one that can't be reached: they are named, and the others go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import faults
from tests.command import REPOSITORY, Ran

CLUSTER = REPOSITORY / "playbooks" / "cluster.yml"
RESET = "kubeadm reset --force --cri-socket unix:///run/containerd/containerd.sock"
TOKENS = {"namespace": "kube-system", "field_selector": "type=bootstrap.kubernetes.io/token"}


@pytest.fixture
def outside(machine: Callable[[str], Any], api: Any) -> Iterator[Any]:
    """worker-1 is no part of the cluster, and the cluster doesn't know it."""
    worker = machine("worker-1")
    if not untouched(worker):
        worker.run_expect([0], RESET)
        api.delete_node("worker-1")
    yield worker
    # Whatever has gone wrong, no token for a join is left.
    assert api.list_namespaced_secret(**TOKENS).items == []


def named(api: Any) -> set[str]:
    return {node.metadata.name for node in api.list_node().items}


def untouched(worker: Any) -> bool:
    places = ("/etc/kubernetes/kubelet.conf", "/etc/kubernetes/bootstrap-kubelet.conf")
    return not any(worker.file(path).exists for path in places)


def only_one_failed(ran: Ran) -> str:
    assert ran.code != 0
    assert ran.recap["worker-1"]["failed"] == 1
    assert ran.recap["worker-2"]["failed"] == 0
    assert ran.changed == 0
    return ran.said


# -- The way to the API ---------------------------------------------------------------------


def test_packets_to_the_api_are_lost(
    outside: Any, converge: Any, recovers: Any, api: Any, addresses: dict[str, str]
) -> None:
    with faults.packets_lost("worker-1", f"OUTPUT -d {addresses['control']} -p tcp --dport 6443"):
        said = only_one_failed(converge())
        assert untouched(outside)
    assert (
        f"the API server at {addresses['control']}:6443 can't be reached from this machine, so "
        "nothing was changed: found timed out; expected an answer on TCP port 6443. Look whether "
        "the endpoint is right, the control plane runs, and no firewall is between"
    ) in said
    assert "worker-1" not in named(api)
    recovers()
    assert named(api) == {"control", "worker-1", "worker-2"}


def test_packets_are_lost_of_a_machine_that_has_joined(
    converge: Any, recovers: Any, addresses: dict[str, str]
) -> None:
    """It isn't taken for one that the cluster has forgotten, and stays what it is."""
    with faults.packets_lost("worker-1", f"OUTPUT -d {addresses['control']} -p tcp --dport 6443"):
        said = only_one_failed(converge())
    assert (
        f"the API server at https://{addresses['control']}:6443 doesn't answer this machine, which "
        "has joined before, so nothing was changed: found "
    ) in said
    recovers()


@pytest.mark.parametrize(
    ("endpoint", "found"),
    [
        # Nobody listens there; the registry does, which isn't the API.
        (
            "{control}:7443",
            "found [Errno 111] Connection refused; expected an answer on TCP",
        ),
        ("{control}:5000", "found [SSL: WRONG_VERSION_NUMBER]"),
        ("{absent}:6443", "; expected an answer on TCP port 6443"),
    ],
)
def test_an_endpoint_that_is_none(
    outside: Any, refused: Any, addresses: dict[str, str], endpoint: str, found: str
) -> None:
    absent = addresses["control"].rpartition(".")[0] + ".77"
    wrong = endpoint.format(control=addresses["control"], absent=absent)
    said = refused(worker_endpoint=wrong)
    assert f"the API server at {wrong} can't be reached from this machine, so nothing" in said
    assert found in said
    assert untouched(outside)


def test_the_controller_cannot_ask_the_api(
    outside: Any, converge: Any, addresses: dict[str, str]
) -> None:
    """The kubeconfig leads to it from the controller, which makes the token for the join."""
    gateway = addresses["control"].rpartition(".")[0] + ".1"
    with faults.packets_lost("control", f"INPUT -s {gateway} -p tcp --dport 6443"):
        ran = converge()
    assert ran.recap["worker-1"]["failed"] == 1
    assert "doesn't answer" in ran.said or "no bootstrap token" in ran.said
    assert "Look whether the control plane runs and this machine reaches it" in ran.said
    assert untouched(outside)


def test_the_clock_of_the_controller_is_off(outside: Any, converge: Any) -> None:
    """It is behind, so that the API's certificate is of the future."""
    ran = converge(**faults.clock_of_process("-2h"))
    assert ran.code != 0
    assert ran.recap["worker-1"]["failed"] == 1
    assert "certificate is not yet valid" in ran.said
    assert re.search(r"It is \S+ \S+ UTC by the clock of this machine: set it right", ran.said)
    assert untouched(outside)


# -- Machines that are something else -------------------------------------------------------


def test_a_machine_of_another_cluster_is_left_alone(
    converge: Any, recovers: Any, machine: Callable[[str], Any], addresses: dict[str, str]
) -> None:
    recovers()
    worker, ours = machine("worker-1"), f"https://{addresses['control']}:6443"
    others, path = ours.replace("6443", "7443"), "/etc/kubernetes/kubelet.conf"
    text = worker.check_output(f"cat {path}")
    assert ours in text
    with faults.content(worker, path, text.replace(ours, others)):
        said = only_one_failed(converge())
    assert f"this machine belongs to the cluster at {others}, expected {ours} or none, so" in said
    recovers()


def test_a_control_plane_is_left_alone(outside: Any, converge: Any, recovers: Any) -> None:
    outside.run_expect([0], "mkdir -p /var/lib/etcd/member")
    said = only_one_failed(converge())
    assert "/var/lib/etcd/member: this machine is a control plane, expected one that is to" in said
    outside.run_expect([0], "rmdir /var/lib/etcd/member")
    recovers()


def test_what_a_former_pod_network_has_left_goes(outside: Any, recovers: Any) -> None:
    configuration = "/etc/cni/net.d/10-flannel.conflist"
    outside.run_expect([0], f"mkdir -p /etc/cni/net.d && touch {configuration}")
    outside.run_expect([0], "ip link add cni0 type bridge")
    recovers()
    assert not outside.file("/sys/class/net/cni0").exists
    assert not outside.file(configuration).exists


# -- Options --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"worker_endpoint": "192.168.57.100"},
            "worker_endpoint: found '192.168.57.100', expected the API's address and port, as in",
        ),
        (
            {"worker_node_ip": "worker-1"},
            "worker_node_ip: found 'worker-1', expected an IPv4 address of the machine",
        ),
        (
            {"worker_node_ip": "192.168.57.77"},
            "node IP 192.168.57.77: found on no interface of this machine",
        ),
        (
            {"worker_kubeconfig": "/nowhere/kubeconfig"},
            "/nowhere/kubeconfig: not a kubeconfig that can be used",
        ),
        (
            {"kubeadm_ignored_preflight_errors": {"Swap": 1}},
            "argument 'worker_ignored_preflight_errors' is of type dict",
        ),
    ],
)
def test_a_wrong_option_is_named(
    outside: Any, refused: Any, options: dict[str, Any], said: str
) -> None:
    assert said in refused(**options)
    assert untouched(outside)


def test_what_kubeadm_refuses_is_shown(outside: Any, converge: Any, recovers: Any) -> None:
    """A port that kubelet needs is taken."""
    with faults.port_taken(outside, 10250):
        said = only_one_failed(converge())
        assert untouched(outside)
    assert "`/usr/local/bin/kubeadm join --config=/dev/stdin` ended with 1" in said
    assert "[ERROR Port-10250]: Port 10250 is in use" in said
    recovers()


# -- Machines that don't answer -------------------------------------------------------------


def test_a_worker_that_does_not_answer_is_named_and_the_other_joins(
    outside: Any, playbook: Any, converge: Any, api: Any
) -> None:
    """With the playbook that users run."""
    with faults.unreachable("worker-2"):
        ran = playbook(CLUSTER)
    assert re.search(
        r"doesn't answer and is left out, the others go on: worker-2 \(\S+:22\): ", ran.said
    )
    assert ran.recap["worker-2"]["unreachable"] == 1
    for name in ("control", "worker-1", "localhost"):
        assert ran.recap[name]["failed"] == 0
    assert ran.code == 4
    assert named(api) == {"control", "worker-1", "worker-2"}
    assert not untouched(outside)
    again = converge()
    assert (again.code, again.changed) == (0, 0)


def test_nothing_is_left_to_do_without_all_this(recovers: Any) -> None:
    recovers()
