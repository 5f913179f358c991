# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the proxies of the small world say of themselves, in Envoy's words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ansible_collections.roost.cluster.plugins.module_utils.release import (
    certificates,
    names,
    proxies,
)
from release_pods import FINISHES, Block, Pod, matches, on_mesh

if TYPE_CHECKING:
    from release_world import World


def clusters(world: World, proxy: Pod) -> str:
    lines = ["xds-grpc::added_via_api::false"]
    for rule in proxy.of("DestinationRule"):
        host = rule["spec"]["host"]
        for subset in rule["spec"]["subsets"]:
            name = names.envoy_cluster(_port(world, host), subset["name"], host)
            lines.append(f"{name}::default_priority::max_connections::4294967295")
            version = subset["labels"]["version"]
            for index, pod in enumerate(world.endpoints(host, version)):
                active = _under_way(world, pod) if proxy.is_gateway else 0
                lines.append(f"{name}::10.244.0.{index}:8080::rq_active::{active}")
                lines.append(f"{name}::10.244.0.{index}:8080::health_flags::healthy")
    return "\n".join(lines)


def routes(world: World, proxy: Pod) -> str:
    hosts = []
    for route in proxy.of("VirtualService"):
        if on_mesh(route) == proxy.is_gateway:
            continue
        rules = [
            {"name": rule["name"], "route": _action(world, rule["route"])}
            for rule in route["spec"]["http"]
            if matches(rule, proxy)
        ]
        hosts.append({"domains": route["spec"]["hosts"], "routes": rules})
    servers = ["8080"] if not proxy.is_gateway else ["http.8080"]
    servers += [names.https_routes("digits", "digits") for _secret in proxy.secrets]
    configs = [{"route_config": {"name": name, "virtual_hosts": hosts}} for name in servers]
    return json.dumps({"configs": configs})


def certs(world: World, proxy: Pod) -> str:
    secrets = [world.store.get(f"Secret istio-system/{name}") for name in proxy.secrets]
    serials = [certificates.read(item).serial for item in secrets if item]
    shown = [{"cert_chain": [{"serial_number": serial}]} for serial in serials]
    return json.dumps({"certificates": shown})


def _action(world: World, route: list[Block]) -> Block:
    def name(item: Block) -> str:
        host = item["destination"]["host"]
        return names.envoy_cluster(_port(world, host), item["destination"]["subset"], host)

    if len(route) == 1:
        return {"cluster": name(route[0])}
    # Istio leaves destinations without weight out.
    weighted = [{"name": name(item), "weight": item["weight"]} for item in route if item["weight"]]
    return {"weighted_clusters": {"clusters": weighted}}


def _port(world: World, host: str) -> int:
    service, namespace = host.split(".")[:2]
    found = world.store.get(f"Service {namespace}/{service}")
    # A proxy may know a service a little longer than the API server does.
    return int(found["spec"]["ports"][0]["port"]) if found else 0


def _under_way(world: World, pod: Pod) -> int:
    return int(world.now - world.sent.get(pod.version, -FINISHES) < FINISHES)


PAGES = {proxies.CLUSTERS: clusters, proxies.ROUTES: routes, proxies.CERTIFICATES: certs}
