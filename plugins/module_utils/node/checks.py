# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError
from ansible_collections.roost.cluster.plugins.module_utils.node.machine import Machine, Route

Wishes = Mapping[str, Any]

NEEDED_CONTROLLERS = {
    1: ("cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids"),
    2: ("cpu", "cpuset", "memory", "pids"),
}
# Interfaces that the pod network makes; its own routes are no conflict.
_OURS = re.compile(r"^(cni|flannel|veth|kube-)")
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_HOSTNAME = re.compile(rf"^{_LABEL}(\.{_LABEL})*$")
OLDEST_PYTHON = (3, 9)


@dataclass(frozen=True)
class Problem:
    """Why a machine can't be a node: what was found and expected, and what to do."""

    name: str
    found: str
    expected: str
    fix: str

    def __str__(self) -> str:
        return f"{self.name}: found {self.found}, expected {self.expected}; {self.fix}"


Check = Callable[[Machine, Wishes], Iterator[Problem]]


def system(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    supported = wishes["supported_systems"]
    if machine.os_version not in map(str, supported.get(machine.os_id, [])):
        known = [f"{name} {one}" for name, versions in supported.items() for one in versions]
        yield Problem(
            "operating system", machine.os_name, " or ".join(known), "install one of these systems"
        )


def architecture(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if machine.architecture not in ("amd64", "arm64"):
        yield Problem("architecture", machine.architecture, "amd64 or arm64", "use another machine")


def rights(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if machine.uid != 0:
        yield Problem(
            "rights",
            f"user id {machine.uid}",
            "root rights",
            "connect as root or set ansible_become: true",
        )


def python(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if machine.python < OLDEST_PYTHON:
        yield Problem(
            "Python",
            ".".join(map(str, machine.python)),
            f"{'.'.join(map(str, OLDEST_PYTHON))} or newer",
            "install it and set ansible_python_interpreter",
        )


def init(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if machine.init != "systemd":
        yield Problem(
            "init",
            machine.init or "nothing",
            "systemd as process 1",
            "boot the machine with systemd",
        )


def cgroup(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if not machine.cgroup_version:
        yield Problem("cgroups", "none", "cgroup version 1 or 2", "mount /sys/fs/cgroup")
        return
    needed = NEEDED_CONTROLLERS[machine.cgroup_version]
    missing = [name for name in needed if name not in machine.cgroup_controllers]
    if missing:
        yield Problem(
            f"cgroup v{machine.cgroup_version} controllers",
            f"no {', '.join(missing)}",
            ", ".join(needed),
            "enable them on the kernel's command line, for example cgroup_enable=memory",
        )


def memory(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if machine.memory_mb < wishes["min_memory_mb"]:
        yield Problem(
            "memory",
            f"{machine.memory_mb} MiB",
            f"{wishes['min_memory_mb']} MiB or more",
            "give the machine more memory",
        )


def cpus(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if machine.cpus < wishes["min_cpus"]:
        yield Problem(
            "processors",
            str(machine.cpus),
            f"{wishes['min_cpus']} or more",
            "give the machine more processors",
        )


def disks(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    for disk in wishes.get("disk") or []:
        free = machine.free_mb[disk["path"]]
        if free < disk["min_mb"]:
            yield Problem(
                f"free disk at {disk['path']}",
                f"{free} MiB",
                f"{disk['min_mb']} MiB or more",
                f"free {disk['min_mb'] - free} MiB",
            )


def ipv4(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if not [one for one in machine.addresses if not one.address.startswith("127.")]:
        yield Problem(
            "network",
            "no IPv4 address",
            "an IPv4 address",
            "give the machine one; a network of IPv6 alone is not supported",
        )


def node_address(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    address, subnet = wishes.get("node_ip"), wishes.get("subnet")
    if not address:
        return
    if not re.match(r"^\d+(\.\d+){3}$", address):
        yield Problem("node_ip", address, "an IPv4 address", "correct the inventory")
        return
    if address not in [one.address for one in machine.addresses]:
        has = ", ".join(f"{one.address} on {one.interface}" for one in machine.addresses)
        yield Problem(
            "node_ip",
            f"{address} on no interface (this machine has {has or 'none'})",
            "an address of this machine",
            "correct the inventory or the machine's network",
        )
    if subnet and IPv4Address(address) not in network(subnet, "subnet"):
        yield Problem(
            "node_ip",
            address,
            f"an address in {subnet}",
            "correct the inventory or the cluster's subnet",
        )


def hostname(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    name = machine.hostname
    if len(name) > 253 or not _HOSTNAME.match(name) or name.startswith("localhost"):
        yield Problem(
            "hostname",
            name or "none",
            "lower-case letters, digits, dots and hyphens, and not localhost",
            "set one with hostnamectl set-hostname",
        )


def ports(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    allowed = {port["port"]: port.get("by") or [] for port in wishes.get("ports") or []}
    for listener in machine.listeners:
        by = allowed.get(listener.port, [])
        if listener.process in by:
            continue
        holder = f"{listener.process} (process {listener.pid})" if listener.process else "a process"
        expected = f"free, or held by {' or '.join(by)}" if by else "free"
        yield Problem(
            f"port {listener.port}",
            f"held by {holder}",
            expected,
            "stop what holds it" if listener.process else "find it with `ss -ltnp`",
        )


def networks(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    names = ("pod_cidr", "service_cidr", "subnet")
    ranges = {name: network(wishes[name], name) for name in names if wishes.get(name)}
    pairs = [(a, b) for a in ranges for b in ranges if names.index(a) < names.index(b)]
    for a, b in pairs:
        if ranges[a].overlaps(ranges[b]):
            yield Problem(
                a,
                f"{ranges[a]}, which overlaps {b} {ranges[b]}",
                "ranges apart from each other",
                "change one of the two",
            )
    for name in ("pod_cidr", "service_cidr"):
        for route in machine.routes:
            if name in ranges and _conflicts(route, ranges[name]):
                yield Problem(
                    name,
                    f"{ranges[name]}, but this machine has a route to {route.network} "
                    f"on {route.interface}",
                    "a range that the machine's network does not use",
                    f"change {name} or remove the route",
                )


def _conflicts(route: Route, wanted: IPv4Network) -> bool:
    target = IPv4Network(route.network)
    # A default route is no use of the range, and wider ones cover it without meaning it.
    return target.prefixlen > 4 and target.overlaps(wanted) and not _OURS.match(route.interface)


def network(text: str, name: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError as error:
        raise StateError(
            f"{name} is {text!r}, expected an IPv4 network such as 10.0.0.0/16: {error}"
        ) from None


def swap(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if wishes["swap"] == "fail" and machine.swaps:
        yield Problem(
            "swap",
            f"on: {', '.join(machine.swaps)}",
            "off",
            "turn it off with swapoff -a and in /etc/fstab, or set swap to off",
        )


def modules(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    for name in machine.modules_missing:
        yield Problem(
            f"kernel feature {name}",
            "nothing",
            "in the kernel, or a module to load",
            "install the kernel's modules package; for a container node load it on the "
            "machine that carries it",
        )


def inotify(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    least = wishes["min_inotify_instances"]
    if machine.inotify_instances < least:
        yield Problem(
            "inotify instances",
            str(machine.inotify_instances),
            f"{least} or more",
            f"run `sysctl -w fs.inotify.max_user_instances={least}`; for a container "
            "node on the machine that carries it",
        )


CHECKS: tuple[Check, ...] = (
    system,
    architecture,
    rights,
    python,
    init,
    cgroup,
    memory,
    cpus,
    disks,
    ipv4,
    node_address,
    hostname,
    ports,
    networks,
    swap,
    modules,
    inotify,
)


def problems(machine: Machine, wishes: Wishes) -> list[Problem]:
    """All reasons at once why this machine can't be a node."""
    return [problem for check in CHECKS for problem in check(machine, wishes)]


def warnings(machine: Machine, wishes: Wishes) -> list[str]:
    """What need not stop anybody, but explains trouble that comes later."""
    told = []
    if machine.firewalls:
        needed = wishes.get("firewall_ports") or [
            f"{port['port']}/tcp" for port in wishes.get("ports") or []
        ]
        told.append(
            f"a firewall is active ({', '.join(machine.firewalls)}): between the nodes it "
            f"has to let through {', '.join(needed) or 'the ports of Kubernetes'}"
        )
    if machine.time_synchronized is False:
        told.append("the clock is not synchronised: install and enable systemd-timesyncd or chrony")
    if not machine.hostname_addresses:
        told.append(f"the host name {machine.hostname} has no address: add it to /etc/hosts")
    return told


def verdict(hostname: str, found: list[Problem]) -> str:
    """All problems in one message."""
    count = "1 problem keeps" if len(found) == 1 else f"{len(found)} problems keep"
    lines = "".join(f"\n- {problem}" for problem in found)
    return f"{count} {hostname} from being a node:{lines}"
