# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the proxies of a release are asked, and what their answers lack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import envoy, names

# The pages of a proxy that tell what it has.
CLUSTERS = "clusters"
ROUTES = "config_dump?resource=dynamic_route_configs"
CERTIFICATES = "certs"

Clusters = Mapping[str, Mapping[str, envoy.Endpoint]]


def has_proxy(pod: Block) -> bool:
    spec = pod["spec"]
    containers = [*(spec.get("initContainers") or []), *spec["containers"]]
    return any(container["name"] == names.PROXY for container in containers)


@dataclass(frozen=True)
class ProxyCheck:
    """Which proxies a condition is about, what they are asked, and what their answer lacks."""

    gateway: bool
    pods: bool
    page: str
    lacks: Callable[[Any, Block, Any], list[str]]


def _own_clusters(expected: Mapping[str, int], pod: Block, clusters: Clusters) -> list[str]:
    lacking = []
    for name, least in expected.items():
        if name not in clusters:
            lacking.append(f"has no cluster {name}")
            continue
        healthy = sum(endpoint.healthy for endpoint in clusters[name].values())
        if healthy < least:
            lacking.append(f"has {healthy} healthy endpoints in {name}, expected {least}")
    return lacking


def _called_clusters(
    expected: Mapping[str, Mapping[str, int]], pod: Block, clusters: Clusters
) -> list[str]:
    own = (pod["metadata"].get("labels") or {}).get("app")
    lacking = []
    for service, wanted in expected.items():
        if service != own:
            lacking += _own_clusters(wanted, pod, clusters)
    return lacking


def _weights(expected: Mapping[str, Any], pod: Block, routes: list[envoy.Route]) -> list[str]:
    """Each server has routes of its own, and learns of a change by itself. A server for HTTPS that
    is none of the release's any more may still have its routes while its connections end."""
    https = expected.get("https")
    plain = [route for route in routes if not route.server.startswith("https.")]
    lacking = _draw(expected, plain)
    if https:
        own = [route for route in routes if route.server == https]
        lacking += [f"over HTTPS {text}" for text in _draw(expected, own)]
    return lacking


def _draw(expected: Mapping[str, Any], routes: list[envoy.Route]) -> list[str]:
    host, versions = expected["host"], expected["versions"]
    drawn = envoy.drawn(routes, names.DRAW_RULE, host)
    # A single version stands there with whatever weight: it gets everything.
    if drawn is None or (drawn != versions and not _sole(drawn, versions)):
        found = "no such rule" if drawn is None else _shares(drawn)
        return [f"draws {host}: {found}, expected {_shares(versions)}"]
    rules = envoy.beside(routes, names.DRAW_RULE, host)
    if rules != expected["rules"]:
        return [f"has the rules {', '.join(rules)}, expected {', '.join(expected['rules'])}"]
    return []


def _sole(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return len(one) == 1 and one.keys() == other.keys()


def _shares(weights: Mapping[str, int]) -> str:
    return ", ".join(f"{version} {weight}%" for version, weight in sorted(weights.items()))


def _pins(expected: Mapping[str, Any], pod: Block, routes: list[envoy.Route]) -> list[str]:
    labels = pod["metadata"].get("labels") or {}
    lacking = []
    for service, rule in expected.items():
        if service == labels.get("app"):
            continue
        version = rule["by_version"].get(labels.get("version"), rule["default"])
        found = envoy.pinned(routes, rule["host"])
        if found != version:
            lacking.append(f"sends calls to {service} to {found or 'any version'}, not {version}")
    return lacking


def _known(expected: Iterable[str], pod: Block, clusters: Clusters) -> list[str]:
    return [f"still has the cluster {name}" for name in expected if name in clusters]


def _shown(expected: str, pod: Block, serials: set[str]) -> list[str]:
    return [] if expected in serials else [f"doesn't show the certificate {expected} yet"]


def _busy(expected: Mapping[str, Any], pod: Block, clusters: Clusters) -> list[str]:
    busy = []
    for name in expected["clusters"]:
        active = sum(endpoint.active for endpoint in clusters.get(name, {}).values())
        if active:
            busy.append(f"has {active} requests under way to {name}")
    return busy


PROXY_CHECKS: Mapping[str, ProxyCheck] = {
    "gateway_clusters": ProxyCheck(True, False, CLUSTERS, _own_clusters),
    "pod_clusters": ProxyCheck(False, True, CLUSTERS, _called_clusters),
    "weights": ProxyCheck(True, False, ROUTES, _weights),
    "certificate": ProxyCheck(True, False, CERTIFICATES, _shown),
    "pins": ProxyCheck(False, True, ROUTES, _pins),
    "idle": ProxyCheck(True, True, CLUSTERS, _busy),
    "without": ProxyCheck(True, True, CLUSTERS, _known),
}

READERS: Mapping[str, Callable[[str], Any]] = {
    CLUSTERS: envoy.read_clusters,
    ROUTES: envoy.read_routes,
    CERTIFICATES: envoy.read_serials,
}
