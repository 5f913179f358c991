# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Machines and options from which no cluster can be made: each is named, and nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from tests import faults
from tests.command import REPOSITORY

CLUSTER = REPOSITORY / "playbooks" / "cluster.yml"

Machine = Callable[[str], Any]


# -- Options --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("preflight_min_cpus", "many", r"argument 'preflight_min_cpus' is of type str .* int"),
        (
            "preflight_ports_of_cluster",
            [{"port": 6443}],
            r"missing required arguments: by found in preflight_ports",
        ),
        ("preflight_swap", "sometimes", r"preflight_swap must be one of: off, fail, ignore"),
        (
            "preflight_pod_cidr",
            "10.244.0.0",
            r"pod_cidr: found '10.244.0.0', expected an IPv4 network such as 10.0.0.0/16",
        ),
        (
            "preflight_service_cidr",
            "10.96.0.1/12",
            r"service_cidr: found '10.96.0.1/12', expected an IPv4 network such as",
        ),
        ("preflight_node_ip", "worker", r"node_ip: found worker, expected an IPv4 address"),
    ],
)
def test_a_wrong_option_is_named(refused: Any, option: str, value: Any, said: str) -> None:
    assert re.search(said, refused(**{option: value}))


# -- One machine ----------------------------------------------------------------------------


def test_a_port_that_is_taken(refused: Any, machine: Machine) -> None:
    """With the process that holds it, on the machine where it does."""
    with faults.port_taken(machine("control"), 6443):
        said = refused()
    assert re.search(
        r"control: port 6443: found held by python3[.\d]* \(process \d+\), expected free, or held "
        r"by kube-apiserver; stop what holds it",
        said,
    )
    assert "worker-1: port" not in said


def test_an_address_that_no_interface_has(refused: Any, addresses: dict[str, str]) -> None:
    absent = addresses["worker-1"].rpartition(".")[0] + ".77"
    said = refused(hosts={"worker-1": {"node_ip": absent}})
    assert f"worker-1: node_ip: found {absent} on no interface (this machine has" in said
    assert f"{addresses['worker-1']} on eth1" in said
    assert "expected an address of this machine; correct the inventory" in said


def test_an_address_outside_the_network(refused: Any, addresses: dict[str, str]) -> None:
    said = refused(preflight_subnet="192.168.99.0/24")
    for name, address in addresses.items():
        assert f"{name}: node_ip: found {address}, expected an address in 192.168.99.0/24" in said


def test_a_name_that_kubernetes_does_not_take(refused: Any) -> None:
    said = refused(hosts={"worker-1": {"preflight_node_name": "Worker-1"}})
    assert (
        "worker-1: node name: found Worker-1, expected at most 63 lower-case letters, dig" in said
    )
    assert "rename the machine in the inventory" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"preflight_pod_cidr": "10.96.0.0/16"},
            "pod_cidr: found 10.96.0.0/16, which overlaps service_cidr 10.96.0.0/12, expected "
            "ranges apart from each other; change one of the two",
        ),
        (
            {"preflight_service_cidr": "192.168.0.0/16"},
            "service_cidr: found 192.168.0.0/16, which overlaps subnet 192.168.57.0/24",
        ),
        (
            {"preflight_pod_cidr": "192.168.0.0/16", "preflight_subnet": ""},
            "pod_cidr: found 192.168.0.0/16, but this machine has a route to 192.168.57.0/24 on "
            "eth1, expected a range that the machine's network does not use; change pod_cidr or "
            "remove the route",
        ),
    ],
)
def test_networks_that_overlap(refused: Any, options: dict[str, str], said: str) -> None:
    assert said in refused(**options)


def test_too_little_memory(refused: Any) -> None:
    said = refused(preflight_min_memory_mb=99000000)
    assert re.search(
        r"worker-2: memory: found \d+ MiB, expected 99000000 MiB or more; give the machine more",
        said,
    )


def test_too_little_disk(refused: Any, machine: Machine) -> None:
    with faults.small_disk(machine("worker-1"), "/var/lib", "64m"):
        said = refused()
    assert (
        "worker-1: free disk at /var/lib: found 64 MiB, expected 2000 MiB or more; free 1936 MiB"
    ) in said
    assert "worker-2: free disk" not in said


def test_a_kernel_module_that_there_is_none_of(refused: Any) -> None:
    said = refused(preflight_kernel_modules=["overlay", "no_such_module"])
    assert "control: kernel feature no_such_module: found nothing, expected in the kernel" in said
    assert "kernel feature overlay" not in said


# -- Between machines -----------------------------------------------------------------------


def test_two_machines_of_one_name(refused: Any, machine: Machine) -> None:
    with faults.host_name(machine("worker-2"), "worker-1"):
        said = refused()
    assert (
        "worker-1, worker-2: found the same hostname worker-1, expected different ones; give each "
        "its own with `hostnamectl set-hostname NAME`"
    ) in said


def test_two_copies_of_one_machine(refused: Any, machine: Machine) -> None:
    identity = machine("worker-1").check_output("cat /etc/machine-id")
    with faults.content(machine("worker-2"), "/etc/machine-id", f"{identity}\n"):
        said = refused()
    assert f"worker-1, worker-2: found the same machine_id {identity}, expected diff" in said
    assert "systemd-machine-id-setup" in said


@pytest.mark.parametrize(
    ("offset", "fast", "slow"), [("+90s", "worker-1", r"\S+"), ("-90s", r"\S+", "worker-1")]
)
def test_a_clock_that_is_off(refused: Any, offset: str, fast: str, slow: str) -> None:
    with faults.clock_off("worker-1", offset) as python:
        said = refused(hosts={"worker-1": {"ansible_python_interpreter": python}})
    found = re.search(
        rf"found the clock of ({fast}) (\d+) s ahead of that of ({slow}), expected at most 5 s; .*"
        r"set up NTP",
        said,
    )
    assert found
    # It is known within the time that the answer took, and the least is told.
    assert 75 < int(found[2]) <= 91


# -- Several at once ------------------------------------------------------------------------


def test_all_problems_of_all_machines_at_once(refused: Any, machine: Machine) -> None:
    with ExitStack() as stack:
        stack.enter_context(faults.port_taken(machine("control"), 2379))
        stack.enter_context(faults.small_disk(machine("worker-1"), "/var/lib", "32m"))
        stack.enter_context(faults.host_name(machine("worker-2"), "control"))
        said = refused(preflight_pod_cidr="10.96.0.0/16")
    assert "nothing was changed, because:" in said
    for problem in (
        "control: port 2379: found held by",
        "worker-1: free disk at /var/lib: found 32 MiB",
        "control, worker-2: found the same hostname control",
        *(f"{name}: pod_cidr: found 10.96.0.0/16" for name in ("control", "worker-1", "worker-2")),
    ):
        assert problem in said


def test_a_worker_that_does_not_answer_is_named_and_left_out(converge: Any) -> None:
    with faults.unreachable("worker-2"):
        ran = converge()
    assert ran.recap["worker-2"]["unreachable"] == 1
    assert {name: ran.recap[name]["failed"] for name in ("control", "worker-1")} == {
        "control": 0,
        "worker-1": 0,
    }
    assert ran.recap["control"]["ok"] == ran.recap["worker-1"]["ok"] == 2, "options and the look"
    assert ran.changed == 0


def test_nothing_goes_on_without_the_first_machine(playbook: Any) -> None:
    with faults.unreachable("control"):
        ran = playbook(CLUSTER)
    assert ran.code != 0
    assert ran.changed == 0
    assert "without control nothing can go on, so nothing was changed" in ran.said
    assert "start the machines (`vagrant up` does it where they are ours), or look" in ran.said
    assert re.search(r"control \(\S+:22\): .*refused", ran.said)
    assert "worker-1" not in ran.recap


# -- Afterwards -----------------------------------------------------------------------------


def test_the_same_machines_are_fine_without_all_this(converge: Any) -> None:
    ran = converge()
    assert (ran.code, ran.changed) == (0, 0)
