# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release.names import DRAW_RULE

DEFAULT_VERIFY = {
    "path": "/api/version",
    "app_header": "x-app-version",
    "model_header": "x-model-version",
}


class BadRelease(ValueError):
    """The release block lacks something that a check needs."""


@dataclass(frozen=True)
class Service:
    name: str
    port: int
    replicas: int


@dataclass(frozen=True)
class Target:
    """What a check needs to know of a release, from the file or as corrected by the live state."""

    namespace: str
    entry: Service
    others: tuple[Service, ...]
    stable: str
    canary: str | None
    weight: int
    """Percent of the answers that the canary should give; 0 without a canary."""
    source: str
    path: str
    app_header: str | None
    model_header: str | None
    host: str | None = None
    """A host name that the gateway answers to, where it doesn't answer to any."""

    @property
    def services(self) -> tuple[Service, ...]:
        return (self.entry, *self.others)


def target(release: Mapping[str, Any]) -> Target:
    """Read the release block. Its full validation belongs to the release role; what is
    missing here is named all the same."""
    services = _need(release, "services")
    entries = [key for key, value in services.items() if value.get("entry")]
    if len(entries) != 1:
        raise BadRelease(
            f"release.services: expected one service with entry: true, got {sorted(entries)}"
        )
    canary = release.get("canary") or {}
    verify = release.get("verify") or DEFAULT_VERIFY
    stable = str(_need(release, "stable"))
    found = Target(
        namespace=str(_need(release, "namespace")),
        entry=_service(entries[0], services[entries[0]]),
        others=tuple(_service(key, services[key]) for key in services if key != entries[0]),
        stable=stable,
        canary=str(canary["version"]) if "version" in canary else None,
        weight=int(canary.get("weight", 0)),
        source="the file (release.canary.weight)",
        path=str(verify.get("path", "/")),
        app_header=verify.get("app_header"),
        model_header=verify.get("model_header"),
        host=_host(release.get("hosts") or ["*"]),
    )
    return _without_blind_headers(found, release.get("versions") or {})


def _without_blind_headers(found: Target, versions: Mapping[str, Any]) -> Target:
    """Drop the headers that can't tell the two versions apart.

    The headers carry what is baked into the images. If stable and canary run the same image of
    the app (a new model, the commonest release), its header says nothing about the split, and
    neither does a pair of headers; then the proxies' counters are read instead.
    """
    old, new = versions.get(found.stable) or {}, versions.get(found.canary or "") or {}

    def same(service: Service) -> bool:
        return service.name in old and old[service.name] == new.get(service.name)

    if same(found.entry):
        return replace(found, app_header=None, model_header=None)
    if any(same(service) for service in found.others):
        return replace(found, model_header=None)
    return found


def _host(hosts: Sequence[str]) -> str | None:
    """One of these names; a star stands for any label."""
    return None if "*" in hosts else str(hosts[0]).replace("*", "any")


def _service(name: str, fields: Mapping[str, Any]) -> Service:
    return Service(name, int(fields.get("port", 80)), int(fields.get("replicas", 2)))


def _need(release: Mapping[str, Any], key: str) -> Any:
    if release.get(key) in (None, "", {}):
        raise BadRelease(f"release.{key}: expected a value, got nothing")
    return release[key]


def with_live(wanted: Target, virtual_services: list[dict[str, Any]]) -> Target:
    """Let the draw at the gateway win over the file, as it does in every other playbook."""
    found = draw(wanted, virtual_services)
    if found is None:
        return replace(wanted, source=f"{wanted.source}, for there is no live draw")
    name, weights = found
    # The route lists the stable version first; an edit by hand may have turned them around.
    stable = wanted.stable if wanted.stable in weights else next(iter(weights))
    canary = next((subset for subset in weights if subset != stable), None)
    weight = weights[canary] if canary else 0
    live = replace(wanted, stable=stable, canary=canary, weight=weight)
    differs = (stable, weight, canary if weight else None) != (
        wanted.stable,
        wanted.weight,
        wanted.canary if wanted.weight else None,
    )
    note = f" (the file says {describe(wanted)})" if differs else ""
    return replace(live, source=f"the live VirtualService {wanted.namespace}/{name}{note}")


def describe(wanted: Target) -> str:
    if not wanted.canary:
        return f"{wanted.stable} alone"
    return f"{wanted.canary} {wanted.weight}%"


def draw(
    wanted: Target, virtual_services: list[dict[str, Any]]
) -> tuple[str, dict[str, int]] | None:
    """Name and weights of the draw that a request without cookie or override meets."""
    for service in virtual_services:
        spec = service.get("spec") or {}
        if set(spec.get("gateways") or ["mesh"]) == {"mesh"}:
            continue
        for rule in spec.get("http") or []:
            weights = _weights(rule, wanted)
            if weights and (rule.get("name") == DRAW_RULE or not _is_special(rule)):
                return str(service["metadata"]["name"]), weights
    return None


def _is_special(rule: Mapping[str, Any]) -> bool:
    """Whether a rule is for some requests only: override, sticky cookie, …"""
    conditions = rule.get("match") or []
    plain = {"name", "gateways", "uri", "port"}
    return bool(conditions) and all(set(condition) - plain for condition in conditions)


def _weights(rule: Mapping[str, Any], wanted: Target) -> dict[str, int]:
    routes = rule.get("route") or []
    hosts = {wanted.entry.name, f"{wanted.entry.name}.{wanted.namespace}"}
    found: dict[str, int] = {}
    for route in routes:
        destination = route.get("destination") or {}
        host = str(destination.get("host", ""))
        if host.partition(".svc")[0] in hosts and destination.get("subset"):
            # A single destination needs no weight: it gets everything.
            weight = int(route.get("weight", 100 if len(routes) == 1 else 0))
            found[str(destination["subset"])] = found.get(str(destination["subset"]), 0) + weight
    return found
