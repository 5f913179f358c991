# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Envoy's own administration page says, read into plain values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Endpoint:
    healthy: bool = False
    active: int = 0


@dataclass(frozen=True)
class Route:
    """One rule: the hosts it is for, its name, and the clusters it sends to with their weights."""

    hosts: tuple[str, ...]
    name: str
    clusters: dict[str, int] = field(default_factory=dict)
    # The name of the set of routes that it is part of; a gateway has one for each of its servers.
    server: str = ""


def read_clusters(text: str) -> dict[str, dict[str, Endpoint]]:
    """`/clusters`: the clusters that are in use, each with its endpoints.

    It has lines `CLUSTER::ADDRESS::KEY::VALUE` for endpoints and `CLUSTER::KEY::VALUE` and
    `CLUSTER::PRIORITY::KEY::VALUE` for the cluster itself. An address of IPv6 has `::` of its own.
    """
    clusters: dict[str, dict[str, dict[str, str]]] = {}
    for line in text.splitlines():
        parts = line.rsplit("::", 2)
        if len(parts) != 3:
            continue
        place, key, value = parts
        name, separator, address = place.partition("::")
        endpoints = clusters.setdefault(name, {})
        if separator and not address.endswith("_priority"):
            endpoints.setdefault(address, {})[key] = value
    return {
        name: {address: _endpoint(facts) for address, facts in endpoints.items()}
        for name, endpoints in clusters.items()
    }


def _endpoint(facts: dict[str, str]) -> Endpoint:
    return Endpoint(facts.get("health_flags") == "healthy", int(facts.get("rq_active", "0")))


def read_routes(text: str) -> list[Route]:
    """`/config_dump?resource=dynamic_route_configs`: all rules, in the order that they apply in."""
    routes = []
    for config in json.loads(text).get("configs") or []:
        server = config.get("route_config") or {}
        for host in server.get("virtual_hosts") or []:
            for rule in host.get("routes") or []:
                clusters = _clusters(rule.get("route") or {})
                name = rule.get("name", "")
                routes.append(Route(tuple(host["domains"]), name, clusters, server.get("name", "")))
    return routes


def _clusters(action: dict[str, Any]) -> dict[str, int]:
    if "cluster" in action:
        return {action["cluster"]: 100}
    weighted = (action.get("weighted_clusters") or {}).get("clusters") or []
    return {item["name"]: int(item.get("weight", 0)) for item in weighted}


def drawn(routes: list[Route], rule: str, host: str) -> dict[str, int] | None:
    """The weights with which a rule draws the versions of a service; None if there is no such
    rule."""
    for route in routes:
        versions = _versions(route, host)
        if route.name == rule and versions:
            return versions
    return None


def beside(routes: list[Route], rule: str, host: str) -> list[str]:
    """The names of all rules, in order, for the hosts for which a rule draws the versions of a
    service. A rule with several matches is one route for each."""
    hosts = next((r.hosts for r in routes if r.name == rule and _versions(r, host)), None)
    return list(dict.fromkeys(route.name for route in routes if route.hosts == hosts))


def pinned(routes: list[Route], host: str) -> str | None:
    """The version that a call to a service's name goes to; None if no version is named."""
    for route in routes:
        if any(domain.partition(":")[0] == host for domain in route.hosts):
            versions = _versions(route, host)
            return next(iter(versions)) if len(versions) == 1 else None
    return None


def _versions(route: Route, host: str) -> dict[str, int]:
    """Subset → weight. A cluster is called `outbound|PORT|SUBSET|HOST`."""
    versions = {}
    for cluster, weight in route.clusters.items():
        parts = cluster.split("|")
        if len(parts) == 4 and parts[2] and parts[3] == host:
            versions[parts[2]] = weight
    return versions


def read_serials(text: str) -> set[str]:
    """`/certs`: the serial numbers of the certificates that the proxy shows to others, in
    hexadecimal."""
    return {
        f"{int(item['serial_number'], 16):x}"
        for entry in json.loads(text).get("certificates") or []
        for item in entry.get("cert_chain") or []
    }
