# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must never be while a release changes, looked for in every way a request could take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ansible_collections.roost.cluster.plugins.module_utils.release import names
from release_pods import FINISHES, Block, Pod, matches, on_mesh, service_of

if TYPE_CHECKING:
    from release_world import World

ENTRY = "app"


def broken(world: World) -> Iterator[str]:
    yield from _routes_stand_before_pods(world)
    yield from _certificates_stand_before_servers(world)
    pods = list(world.pods.values())
    for pod in pods:
        if pod.is_gateway:
            yield from _requests_of(world, pod)
    for pod in pods if world.serving else []:
        yield from _subsets_of(world, pod)
        if not pod.is_gateway and world.now - world.sent.get(pod.version, -FINISHES) < FINISHES:
            yield from _calls_of(world, pod)


def _routes_stand_before_pods(world: World) -> Iterator[str]:
    services = {pod.app for pod in world.pods.values() if pod.ends is None and not pod.is_gateway}
    routes = [item for item in world.store.values() if item["kind"] == "VirtualService"]
    routed = {service_of(route["spec"]["hosts"][0]) for route in routes if on_mesh(route)}
    if services - routed:
        yield f"pods of {services - routed} without a route of their own"
    if services and all(on_mesh(route) for route in routes):
        yield "pods without a route at the gateway"


def _certificates_stand_before_servers(world: World) -> Iterator[str]:
    """Also while a gateway has not learned of another certificate yet."""
    gateway = world.store.get("Gateway digits/digits")
    if gateway and any("tls" in server for server in gateway["spec"]["servers"]):
        known = {name for pod in world.pods.values() if pod.is_gateway for name in pod.secrets}
        told = {server["tls"]["credentialName"] for server in gateway["spec"]["servers"][1:]}
        for name in known | told:
            if f"Secret istio-system/{name}" not in world.store:
                yield f"a gateway shows the certificate of {name}, and there is none"


def _drawn(route: Block) -> Iterator[tuple[str, str, int]]:
    """Host, subset and weight: what is drawn, what a header or a cookie asks for, and copies."""
    for rule in route["spec"]["http"]:
        for item in [*rule["route"], *rule.get("mirrors", [])]:
            to = item["destination"]
            yield to["host"], to["subset"], item.get("weight", 100)


def _requests_of(world: World, gateway: Pod) -> Iterator[str]:
    """Every request that the gateway could send now."""
    for route in gateway.of("VirtualService"):
        for host, subset, weight in [] if on_mesh(route) else _drawn(route):
            version = names.version_of(subset)
            # Until the first install is done, the version that has all of the weight is awaited.
            promised = world.serving or version not in _held(world)
            if not weight or not promised:
                continue
            world.sent[version] = world.now
            if not world.endpoints(host, version):
                yield f"weight on {version} without ready pods"
            if not gateway.knows(host, subset):
                yield f"{gateway.name} sends to {subset}, whose subset it doesn't have"


def _held(world: World) -> list[str]:
    """Versions that have all of the weight in the route as it is applied."""
    return [
        version
        for route in world.store.values()
        if route["kind"] == "VirtualService" and not on_mesh(route)
        for _host, version, weight in _drawn(route)
        if weight == 100
    ]


def _rules_of(world: World, pod: Pod) -> Iterator[tuple[str, str]]:
    """Where the pod's calls go: host and version."""
    if not pod.ready(world.now) and pod.ends is None:
        return
    for route in pod.of("VirtualService"):
        host = route["spec"]["hosts"][0]
        if on_mesh(route) and service_of(host) not in (pod.app, ENTRY) and not pod.is_gateway:
            rule = next(rule for rule in route["spec"]["http"] if matches(rule, pod))
            yield host, rule["route"][0]["destination"]["subset"]


def _subsets_of(world: World, pod: Pod) -> Iterator[str]:
    """Subsets are there before the routes to them, and gone before the pods in them."""
    for host, version in _rules_of(world, pod):
        if not pod.knows(host, version):
            yield f"{pod.name} has a route to {version} of {host}, whose subset it doesn't have"
    for rule in pod.of("DestinationRule"):
        service = service_of(rule["spec"]["host"])
        for subset in rule["spec"]["subsets"]:
            version = subset["labels"]["version"]
            if f"Deployment {_namespace(rule)}/{service}-{version}" not in world.store:
                yield f"{pod.name} knows {subset['name']} of {service}, whose pods were removed"


def _namespace(rule: Block) -> str:
    return str(rule["metadata"]["namespace"])


def _calls_of(world: World, pod: Pod) -> Iterator[str]:
    """The calls that a request leads to, as long as it may still be under way."""
    for host, version in _rules_of(world, pod):
        if version != pod.version:
            yield f"{pod.name} calls {version}: a mixed pair"
        if not world.endpoints(host, version):
            yield f"{pod.name} calls {version} of {host}, which has no ready pods"
