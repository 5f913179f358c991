# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node needs of its name, its addresses, its ports and the networks around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from ansible_collections.roost.cluster.plugins.module_utils.node.machine import Machine, Route
from ansible_collections.roost.cluster.plugins.module_utils.node.problem import Problem, Wishes

# Interfaces that the pod network makes; its own routes are no conflict.
_OURS = re.compile(r"^(cni|flannel|veth|kube-)")
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_HOSTNAME = re.compile(rf"^{_LABEL}(\.{_LABEL})*$")
NODE_NAME = "at most 63 lower-case letters, digits, dots and hyphens, as in worker-1"


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
    if subnet and not _lies_in(address, subnet):
        yield Problem(
            "node_ip",
            address,
            f"an address in {subnet}",
            "correct the inventory or the cluster's subnet",
        )


def _lies_in(address: str, subnet: str) -> bool:
    try:
        return IPv4Address(address) in IPv4Network(subnet)
    except ValueError:
        return True  # what is no network is told of by another check


def hostname(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    name = machine.hostname
    if len(name) > 253 or not _HOSTNAME.match(name) or name.startswith("localhost"):
        yield Problem(
            "hostname",
            name or "none",
            "lower-case letters, digits, dots and hyphens, and not localhost",
            "set one with hostnamectl set-hostname",
        )


def node_name(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    name = wishes.get("node_name")
    if name is not None and not is_node_name(name):
        yield Problem("node name", name or "none", NODE_NAME, "rename the machine in the inventory")


def is_node_name(name: str) -> bool:
    """Whether Kubernetes takes the name as it is: kubeadm makes capitals small, and then nobody
    finds the node by its name. It becomes the value of a label as well, which is shorter."""
    return len(name) <= 63 and bool(_HOSTNAME.fullmatch(name))


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


def ipv4_network(text: str) -> IPv4Network:
    """A network as it is written; ValueError also if the length of its prefix is left out."""
    if "/" not in text:
        raise ValueError("write the length of its prefix, as in /16")
    return IPv4Network(text)


def networks(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    names = ("pod_cidr", "service_cidr", "subnet")
    ranges = {}
    for name in names:
        if wishes.get(name):
            try:
                ranges[name] = ipv4_network(wishes[name])
            except ValueError as error:
                yield Problem(
                    name, repr(wishes[name]), "an IPv4 network such as 10.0.0.0/16", str(error)
                )
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
