# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with values that kubeadm's documents are made from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.checks_network import (
    NODE_NAME,
    ipv4_network,
    is_node_name,
)

# Of those who find out about a wrong one only minutes later, or never.
NETWORKS = ("pod_cidr", "service_cidr")
# Of ClusterConfiguration: places that a stopped or half-done control plane is known by.
PLACES = {"certificatesDir": "/etc/kubernetes/pki", "etcd.local.dataDir": "/var/lib/etcd"}


def problems(values: Mapping[str, Any], role: str) -> list[str]:
    """Every problem at once, each with the option, what it is and what was expected."""
    return [
        *_name(values["node_name"], role),
        *_address(values["node_ip"], role),
        *_endpoint(values["endpoint"], role),
        *_networks(values, role),
        *_places(values.get("cluster_configuration") or {}, role),
    ]


def _name(value: Any, role: str) -> Iterator[str]:
    if not is_node_name(str(value)):
        yield (
            f"{role}_node_name: found {value!r}, expected {NODE_NAME}; rename the machine in the "
            "inventory"
        )


def _address(value: Any, role: str) -> Iterator[str]:
    try:
        IPv4Address(str(value))
    except AddressValueError:
        yield f"{role}_node_ip: found {value!r}, expected an IPv4 address of the machine"


def _endpoint(value: Any, role: str) -> Iterator[str]:
    host, _colon, port = str(value).rpartition(":")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", host) or not _is_port(port):
        yield (
            f"{role}_endpoint: found {value!r}, expected the API's address and port, as in "
            "192.168.56.100:6443"
        )


def _is_port(text: str) -> bool:
    return text.isdigit() and 0 < int(text) < 65536


def _networks(values: Mapping[str, Any], role: str) -> Iterator[str]:
    networks = {}
    for name in NETWORKS:
        if name not in values:
            continue
        try:
            networks[name] = ipv4_network(str(values[name]))
        except ValueError as error:
            yield (
                f"{role}_{name}: found {values[name]!r}, expected an IPv4 network such as "
                f"10.0.0.0/16: {error}"
            )
    if len(networks) == 2 and networks["pod_cidr"].overlaps(networks["service_cidr"]):
        yield (
            f"{role}_pod_cidr: found {networks['pod_cidr']}, which overlaps {role}_service_cidr "
            f"{networks['service_cidr']}, expected ranges apart from each other; change one of the "
            "two"
        )


def _places(configuration: Mapping[str, Any], role: str) -> Iterator[str]:
    for path, expected in PLACES.items():
        found: Any = configuration
        for key in path.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        if found not in (None, expected):
            yield (
                f"{role}_cluster_configuration: {path}: found {found!r}, expected {expected}, by "
                "which a control plane that doesn't run is known; leave it out, and mount a disk "
                "there if it is to be on another one, an empty one without lost+found"
            )
