# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a machine can be a node, and what is said if it can't."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node.checks import (
    problems,
    verdict,
    warnings,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.checks_kernel import (
    LEAST_INOTIFY,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.listeners import (
    Listener,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.machine import (
    Address,
    Machine,
    Route,
    parse_routes,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.problem import Problem

from host.kernel_settings import LEAST

DATA = Path(__file__).parent / "data"
WISHES: dict[str, Any] = {
    "supported_systems": {"debian": ["12", "13"], "ubuntu": ["22.04", "24.04"]},
    "min_memory_mb": 1700,
    "min_cpus": 2,
    "disk": [{"path": "/var/lib", "min_mb": 6000}],
    "node_ip": "192.168.56.101",
    "subnet": "192.168.56.0/24",
    "pod_cidr": "10.244.0.0/16",
    "service_cidr": "10.96.0.0/12",
    "ports": [{"port": 10250, "by": ["kubelet"]}, {"port": 179}],
    "swap": "fail",
    "architecture": "amd64",
    "kubernetes_version": "v1.36.3",
    "worker_of": "192.168.56.100:6443",
}


def recorded() -> Machine:
    """A machine that is fit to be a node, as it was found."""
    found = json.loads((DATA / "machine.json").read_text())
    return Machine(
        **{
            **found,
            "python": tuple(found["python"]),
            "addresses": tuple(Address(**one) for one in found["addresses"]),
            "routes": tuple(Route(**one) for one in found["routes"]),
            "listeners": tuple(Listener(**one) for one in found["listeners"]),
        }
    )


def test_a_fit_machine_has_no_problem() -> None:
    assert problems(recorded(), WISHES) == []
    assert warnings(recorded()) == []
    assert recorded().facts()["default_interface"] == "eth0"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"os_id": "fedora", "os_version": "41", "os_name": "Fedora Linux 41"},
            "operating system: found Fedora Linux 41, expected debian 12 or debian 13 or ubuntu",
        ),
        ({"os_version": "11", "os_name": "Debian GNU/Linux 11"}, "found Debian GNU/Linux 11"),
        ({"architecture": "riscv64"}, "architecture: found riscv64, expected amd64 or arm64"),
        (
            {"architecture": "arm64"},
            "architecture: found arm64, expected amd64, for which the bundle",
        ),
        ({"uid": 1000}, "rights: found user id 1000, expected root"),
        ({"python": (3, 8)}, "Python: found 3.8, expected 3.9 or newer"),
        ({"init": "sh"}, "init: found sh, expected systemd as process 1"),
        (
            {"kubernetes": "v1.35.4"},
            "Kubernetes: found a control plane of v1.35.4, expected v1.36.3, which the bundle "
            "holds; fill the bundle with v1.35.4 again, or make the machines anew",
        ),
        (
            {"joined": "https://192.168.9.1:6443"},
            "cluster: found a node of the cluster at https://192.168.9.1:6443, expected none, or "
            "one of https://192.168.56.100:6443; correct the machine's address in the inventory, "
            "or put the endpoint back",
        ),
        (
            {"joined": ""},
            "cluster: found a control plane, expected a machine that is to be a worker",
        ),
        ({"cgroup_version": 0}, "cgroups: found none"),
        (
            {"cgroup_version": 2, "cgroup_controllers": ("cpu", "cpuset", "pids")},
            "cgroup v2 controllers: found no memory",
        ),
        (
            {"cgroup_controllers": ("cpu", "cpuset", "memory", "pids")},
            "cgroup v1 controllers: found no cpuacct, devices, freezer",
        ),
        ({"memory_mb": 900}, "memory: found 900 MiB, expected 1700 MiB or more"),
        ({"cpus": 1}, "processors: found 1, expected 2 or more"),
        ({"free_mb": {"/var/lib": 5000}}, "expected 6000 MiB or more; free 1000 MiB"),
        (
            {"addresses": (Address("eth1", "192.168.56.9", 24),)},
            "192.168.56.101 on no interface (this machine has 192.168.56.9 on eth1)",
        ),
        ({"hostname": "Worker_1"}, "hostname: found Worker_1"),
        ({"hostname": "localhost"}, "hostname: found localhost"),
        (
            {"listeners": (Listener(10250, "nginx", 7),)},
            "port 10250: found held by nginx (process 7), expected free, or held by kubelet",
        ),
        ({"listeners": (Listener(179, "", 0),)}, "held by a process, expected free; find it with"),
        (
            {"routes": (Route("tun0", "10.0.0.0/8", "0.0.0.0"),)},
            "pod_cidr: found 10.244.0.0/16, but this machine has a route to 10.0.0.0/8 on tun0",
        ),
        ({"swaps": ("/dev/sda2",)}, "swap: found on: /dev/sda2"),
        ({"modules_missing": ("br_netfilter",)}, "kernel feature br_netfilter"),
        (
            {"commands_missing": ("iptables",)},
            "command iptables: found nothing, expected an executable of that name; install the "
            "package that has it, on these systems by `apt install iptables`",
        ),
        (
            {"container": "docker", "inotify_instances": 128},
            "fs.inotify.max_user_instances: found 128, expected 1024 or more; run `sysctl -w "
            "fs.inotify.max_user_instances=1024` on the machine that carries the container nodes",
        ),
        (
            {"container": "docker", "inotify_watches": 8192},
            "fs.inotify.max_user_watches: found 8192, expected 65536 or more; run `sysctl -w "
            "fs.inotify.max_user_watches=65536` on the machine",
        ),
    ],
)
def test_each_problem_names_what_was_found_expected_and_the_way_out(
    changes: dict[str, Any], told: str
) -> None:
    found = problems(replace(recorded(), **changes), WISHES)
    assert told in "\n".join(map(str, found))
    assert all(problem.found and problem.expected and problem.fix for problem in found)


def test_a_machine_of_its_own_has_watches_enough() -> None:
    machine = replace(recorded(), inotify_instances=128, inotify_watches=8192)
    assert problems(machine, WISHES) == []


def test_nodes_ask_for_what_is_raised_for_them() -> None:
    assert LEAST_INOTIFY == LEAST


def test_ipv6_alone_is_refused_by_name() -> None:
    found = problems(replace(recorded(), addresses=(Address("lo", "127.0.0.1", 8),)), WISHES)
    assert [str(problem) for problem in found][0] == (
        "network: found no IPv4 address, expected an IPv4 address; give the machine one; "
        "a network of IPv6 alone is not supported"
    )


@pytest.mark.parametrize(
    ("wishes", "names"),
    [
        ({"subnet": "192.168.57.0/24"}, ["node_ip"]),
        ({"node_ip": "fd00::1"}, ["node_ip"]),
        ({"node_name": "worker-1.example.org"}, []),
        ({"node_name": "Worker-1"}, ["node name"]),
        ({"worker_of": ""}, []),
        ({"pod_cidr": "10.100.0.0/16"}, ["pod_cidr"]),
        ({"service_cidr": "192.168.0.0/16"}, ["service_cidr", "service_cidr"]),
        ({"swap": "off", "node_ip": None, "disk": None, "ports": None}, []),
    ],
)
def test_wishes_that_contradict_the_machine_or_each_other(
    wishes: dict[str, Any], names: list[str]
) -> None:
    found = problems(recorded(), {**WISHES, **wishes})
    assert [problem.name for problem in found] == names


def test_a_range_that_is_none_is_refused() -> None:
    found = problems(recorded(), {**WISHES, "pod_cidr": "10.244.0.1/16", "subnet": "lab"})
    assert [str(problem).partition(";")[0] for problem in found] == [
        "pod_cidr: found '10.244.0.1/16', expected an IPv4 network such as 10.0.0.0/16",
        "subnet: found 'lab', expected an IPv4 network such as 10.0.0.0/16",
    ]


def test_what_is_ours_is_no_problem_on_a_running_node() -> None:
    """Routes of the pod network, and the kubelet that listens, as on a node of a live cluster."""
    routes = parse_routes((DATA / "proc-net-route.txt").read_text())
    assert Route("cni0", "10.244.0.0/24", "0.0.0.0") in routes
    assert Route("flannel.1", "10.244.1.0/24", "10.244.1.0") in routes
    live = replace(recorded(), routes=routes, listeners=(Listener(10250, "kubelet", 9),))
    assert problems(live, WISHES) == []
    assert live.default_interface == "eth0"


def test_all_reasons_come_in_one_message() -> None:
    found = problems(replace(recorded(), memory_mb=900, cpus=1, uid=5), WISHES)
    lines = verdict("worker-1", found).splitlines()
    assert lines[0] == "3 problems keep worker-1 from being a node:"
    assert len(lines) == 4
    assert verdict("x", [Problem("a", "b", "c", "d")]).startswith("1 problem keeps x from")


def test_warnings() -> None:
    machine = replace(recorded(), time_synchronized=False, hostname_addresses=())
    assert warnings(machine) == [
        "worker-1: the clock is not synchronised: install and enable systemd-timesyncd or chrony",
        "worker-1: the host name has no address: add it to /etc/hosts",
    ]
    assert warnings(replace(recorded(), time_synchronized=None)) == []
