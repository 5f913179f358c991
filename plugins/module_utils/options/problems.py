# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that can't be kept, each by itself or beside the others."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.options.registries import (
    MIRRORS,
    mirror_problems,
    proxy_problems,
)

PROXIES = ("http_proxy", "https_proxy")
ENDPOINT = re.compile(r"(?P<host>[^\s:/]+):(?P<port>[0-9]{1,5})")
NODE_PORTS = ("istio_gateway_http_node_port", "istio_gateway_https_node_port")


def problems(
    options: Mapping[str, Any], held: Mapping[str, str], edge: Mapping[str, int]
) -> list[str]:
    """What is wrong with options, all at once.

    `held` has the versions in the bundle, by the option's name; `edge` the node ports that the
    address on this machine leads to, which is empty for machines of one's own.
    """
    return [
        *_versions(options, held),
        *_control_plane(options["control_plane"]),
        *_endpoint(options["api_endpoint"], str(options["node_ip"])),
        *_ports(options, edge),
        *mirror_problems(options[MIRRORS]),
        *proxy_problems({name: options[name] for name in PROXIES}, options["no_proxy"]),
    ]


def _versions(options: Mapping[str, Any], held: Mapping[str, str]) -> Iterator[str]:
    for name, version in held.items():
        wanted = str(options[name])
        if wanted.removeprefix("v") != version.removeprefix("v"):
            yield (
                f"{name}: expected {wanted}, and the bundle holds {version}. A bundle holds one "
                "version: raise it in bundle/components.yml as CONTRIBUTING.md says and run "
                f"`make bundle`, or leave {name} out to take what there is"
            )


def _control_plane(names: Sequence[str]) -> Iterator[str]:
    if len(names) > 1:
        yield (
            "inventory: expected one machine in the group control_plane, found "
            f"{', '.join(names)}; a control plane of several machines isn't supported, so leave "
            "one there"
        )


def _endpoint(endpoint: str, node_ip: str) -> Iterator[str]:
    if ":" in node_ip and endpoint.startswith(node_ip):
        return  # Made of an IPv6 address, which preflight refuses for each machine that has one.
    match = ENDPOINT.fullmatch(endpoint)
    if not match or not 0 < int(match["port"]) < 65536:
        yield f"api_endpoint: expected ADDRESS:PORT, as in 192.168.56.100:6443, found {endpoint!r}"
        return
    try:
        socket.getaddrinfo(match["host"], match["port"])
    except OSError as error:
        yield (
            f"api_endpoint: {match['host']} is unknown on this machine ({error}), which has to ask "
            "the API by that name; add it to your DNS or to /etc/hosts here, and for the machines "
            "to your DNS or to extra_hosts"
        )


def _ports(options: Mapping[str, Any], edge: Mapping[str, int]) -> Iterator[str]:
    ports = {name: int(options[name]) for name in NODE_PORTS}
    if len(set(ports.values())) < len(ports):
        found = ports[NODE_PORTS[0]]
        yield f"{' and '.join(ports)}: expected two different ports, found {found} twice"
    for name, port in ports.items():
        if port != int(edge.get(name, port)):
            yield (
                f"{name}: found {port}, and the address on this machine leads to {edge[name]}, "
                "from inventory/group_vars/all/cluster.yml; set it there, and run `make up`"
            )
