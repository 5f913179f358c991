# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, object_key
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    images,
    names,
    progress,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Canary
from ansible_collections.roost.cluster.plugins.module_utils.release.progress import Course

# The objects of a release that live on the cluster, by object_key().
Inventory = Mapping[str, Block]


class Unreadable(Exception):
    """The live route is not one that a release has made; the message says what to do."""


@dataclass(frozen=True)
class Live:
    """What is steered while a release runs, as the cluster has it."""

    stable: str
    canary: Canary | None
    # version → service → NAME:TAG@sha256:…
    images: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # (service, version) → count
    replicas: Mapping[tuple[str, str], int] = field(default_factory=dict)
    course: Course = field(default_factory=Course)


def entry_route(inventory: Inventory, release: str, namespace: str) -> Block | None:
    return inventory.get(f"VirtualService {namespace}/{names.entry_route_name(release)}")


def record_of(route: Block | None) -> Block | None:
    """The release block as last applied from the file, or None if there is none to read."""
    if route is None:
        return None
    text = _annotation(route, names.RECORD_ANNOTATION)
    if text is None:
        return None
    try:
        record = json.loads(text)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise Unreadable(
            f"the annotation {names.RECORD_ANNOTATION} of {object_key(route)} is not JSON; "
            "remove it to have the file applied as on a first run"
        )
    return record


def course_of(route: Block) -> Course:
    try:
        return progress.loads(_annotation(route, progress.ANNOTATION))
    except ValueError as error:
        raise Unreadable(
            f"the annotation {progress.ANNOTATION} of {object_key(route)} can't be read: {error}; "
            f"expected {progress.EXPECTED}. Correct it, or remove it: users with a cookie are then "
            "drawn anew"
        ) from error


def _annotation(route: Block, name: str) -> str | None:
    return (route["metadata"].get("annotations") or {}).get(name)


def live_of(inventory: Inventory, release: str, namespace: str) -> Live | None:
    """None if no route draws a version yet."""
    route = entry_route(inventory, release, namespace)
    if route is None:
        return None
    weights = weights_of(route)
    stable = weights[0][0]
    canary = Canary(*weights[1]) if len(weights) == 2 else None
    pairs: dict[str, dict[str, str]] = {}
    replicas = {}
    for item in deployments(inventory):
        service, version = workload_of(item)
        pairs.setdefault(version, {})[service] = image_of(item)
        replicas[service, version] = int(item["spec"].get("replicas", 1))
    return Live(stable, canary, pairs, replicas, course_of(route))


def weights_of(route: Block) -> list[tuple[str, int]]:
    """The versions that the route draws from, stable first, with their weights."""
    rules = (route.get("spec") or {}).get("http") or []
    drawing = [rule for rule in rules if rule.get("name") == names.DRAW_RULE] or rules[-1:]
    if not drawing:
        raise _unreadable(route, "it has no HTTP rule")
    found = []
    destinations = drawing[0].get("route") or []
    for item in destinations:
        version = (item.get("destination") or {}).get("subset")
        if not version:
            raise _unreadable(route, "a destination without a subset")
        found.append((version, int(item.get("weight", 100 if len(destinations) == 1 else 0))))
    if len(found) not in (1, 2) or sum(weight for _version, weight in found) != 100:
        raise _unreadable(route, f"the weights {found}")
    return found


def entry_host(route: Block) -> str | None:
    """The service that the gateway sends its requests to."""
    for rule in reversed((route.get("spec") or {}).get("http") or []):
        for item in rule.get("route") or []:
            return str((item.get("destination") or {}).get("host"))
    return None


def _unreadable(route: Block, what: str) -> Unreadable:
    return Unreadable(
        f"{object_key(route)} can't be read: {what}; expected one or two subsets whose "
        "weights add up to 100. Correct it, or delete it to have the file applied as on a first run"
    )


def deployments(inventory: Inventory) -> list[Block]:
    return [
        item
        for item in inventory.values()
        if item["kind"] == "Deployment" and {"app", "version"} <= _labels(item).keys()
    ]


def workload_of(deployment: Block) -> tuple[str, str]:
    labels = _labels(deployment)
    return labels["app"], labels["version"]


def image_of(deployment: Block) -> str:
    """The digest that runs, with the tag that it was asked for by."""
    service, _version = workload_of(deployment)
    containers = deployment["spec"]["template"]["spec"]["containers"]
    container = next((item for item in containers if item["name"] == service), containers[0])
    running = images.parse(container["image"])
    annotations = deployment["metadata"].get("annotations") or {}
    asked = images.parse(annotations.get(names.IMAGE_ANNOTATION))
    if running and asked and asked.tag and asked.name == running.name and running.digest:
        return f"{asked.reference}@{running.digest}"
    return str(container["image"])


def targets_of(route: Block | None, host: str) -> set[str]:
    """The subsets of a service that some rule of a route leads to, copies of requests included."""
    found = set()
    for rule in ((route or {}).get("spec") or {}).get("http") or []:
        for item in [*(rule.get("route") or []), *(rule.get("mirrors") or [])]:
            destination = item.get("destination") or {}
            if destination.get("host") == host and item.get("weight") != 0:
                found.add(str(destination.get("subset")))
    return found


def subsets_of(inventory: Inventory, service: str, namespace: str) -> list[str]:
    rule = inventory.get(f"DestinationRule {namespace}/{service}")
    subsets = ((rule or {}).get("spec") or {}).get("subsets") or []
    return [subset["name"] for subset in subsets]


def rules_of(inventory: Inventory, service: str, namespace: str) -> list[str]:
    """The versions whose callers have a rule of their own in the service's route."""
    route = inventory.get(f"VirtualService {namespace}/{service}")
    found = []
    for rule in ((route or {}).get("spec") or {}).get("http") or []:
        for match in rule.get("match") or []:
            version = (match.get("sourceLabels") or {}).get("version")
            if version:
                found.append(version)
    return found


def _labels(item: Block) -> dict[str, str]:
    return item["metadata"].get("labels") or {}
