# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order in which a release is brought from what is live to what is to be.

Adding a version: its pods are ready → its subsets exist → every proxy has them and their
endpoints → the pods' own calls are bound to it → only then may the gateway give it weight.
Removing one: the same backwards, and its requests have ended before its pods do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, object_key
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    expect,
    objects,
    routing,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.expect import Wait
from ansible_collections.roost.cluster.plugins.module_utils.release.live import Inventory
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from ansible_collections.roost.cluster.plugins.module_utils.release.transition import Transition

# Deleted in this order: rules outlive the pods, or a call would go to any version of them.
_REMOVAL_ORDER = (
    "Deployment",
    "PodDisruptionBudget",
    "VirtualService",
    "Gateway",
    "DestinationRule",
    "Service",
    "ServiceAccount",
    "PeerAuthentication",
    "EnvoyFilter",
    "Secret",
)


@dataclass(frozen=True)
class Stage:
    """Objects that are applied in one go, what must hold before, and what is awaited after."""

    name: str
    why: str
    objects: list[Block]
    wait: Wait = field(default_factory=dict)
    before: Wait = field(default_factory=dict)
    state: str = "present"


def build(
    release: Release, inventory: Inventory, context: Context, record: Block | None
) -> list[Stage]:
    """All stages, whether or not there is anything to change in them; see `settle`."""
    final = {object_key(item): item for item in objects.derive(release, context, record)}
    change = Transition(release, inventory, context, final)
    if not change.running:
        opening = [_install(change)]
    else:
        opening = [_prepare(change), _workloads(change), _subsets(change), _pins(change)]
    return [*opening, _weights(change), _unpin(change), _drop_subsets(change), _remove(change)]


def _install(change: Transition) -> Stage:
    """No pod runs, so no traffic can go astray: everything but the weights goes at once. The
    routes stand before the pods in the list, and all of the weight is on the stable version."""
    release, context = change.release, change.context
    route = change.holding_route()
    hidden = object_key(route)
    items = [item for key, item in change.final.items() if key != hidden]
    position = next(i for i, item in enumerate(items) if item["kind"] == "PodDisruptionBudget")
    if change.live_route is None:
        items.insert(position, route)
    return Stage(
        "install",
        f"nothing of {release.name} runs yet: everything, with the whole weight on "
        f"{release.stable}",
        items,
        wait={
            **expect.ready(release, release.deployed),
            **expect.subsets(release, release.deployed, context),
            **expect.pins(release, expect.final_rules(release), release.stable, context),
        },
    )


def _prepare(change: Transition) -> Stage:
    """What carries no traffic by itself, and any route that is missing although pods run."""
    release, context = change.release, change.context
    items = change.of_kind("Namespace", "PeerAuthentication", "ServiceAccount", "Service")
    wait: Wait = {}
    for service in release.services:
        if not change.is_live("DestinationRule", service):
            subsets = change.subsets(service)
            items.append(routing.destination_rule(release, service, subsets, context))
        if not change.is_live("VirtualService", service):
            rules = change.rules(service)
            items.append(routing.service_route(release, service, rules, change.anchor, context))
            wait |= expect.pins(release, change.all_rules(), change.anchor, context)
    items += change.of_kind("Gateway", "EnvoyFilter")
    if change.live_route is None:
        items.append(change.holding_route())
        wait |= expect.held(release, change.anchor, context)
    return Stage(
        "prepare",
        "names and rules; a route to the stable version stands before any canary pod",
        items,
        wait=wait,
    )


def _workloads(change: Transition) -> Stage:
    release = change.release
    return Stage(
        "workloads",
        "pods start and become ready; no route leads to a new version yet",
        change.of_kind("PodDisruptionBudget", "Deployment"),
        wait=expect.ready(release, release.deployed),
    )


def _subsets(change: Transition) -> Stage:
    release, context = change.release, change.context
    return Stage(
        "subsets",
        "every proxy learns the versions, now that their pods are ready",
        [
            routing.destination_rule(release, service, change.subsets(service), context)
            for service in release.services
        ],
        before=expect.ready(release, change.newly_known()),
        wait=expect.subsets(release, release.deployed, context),
    )


def _pins(change: Transition) -> Stage:
    release, context = change.release, change.context
    return Stage(
        "second hop",
        "each version's own calls are bound to the same version before it gets any request",
        [_service_route(change, service, change.rules(service)) for service in release.services],
        before=expect.subsets(release, release.deployed, context),
        wait=expect.pins(release, change.all_rules(), release.stable, context),
    )


def _weights(change: Transition) -> Stage:
    release, context = change.release, change.context
    route = change.final_route()
    if change.live_route is not None:
        # A weight that is moved while this run waits for pods must not be overwritten: with the
        # version that was read, the API refuses the change instead.
        route["metadata"]["resourceVersion"] = change.live_route["metadata"]["resourceVersion"]
    rising = change.rising()
    before: Wait = {}
    if rising:
        before = {
            **expect.ready(release, rising),
            **expect.subsets(release, rising, context),
            **expect.pins(release, change.all_rules(), release.stable, context),
        }
    shares = ", ".join(f"{version} {weight}%" for version, weight in release.weights.items())
    return Stage(
        "weights",
        f"the gateway draws {shares}",
        [route],
        before=before,
        wait=expect.weights(release, release.weights, context),
    )


def _unpin(change: Transition) -> Stage:
    release, context = change.release, change.context
    before: Wait = {}
    if change.leaving:
        # The rule stays as long as a request of the leaving version can still make its call, or
        # that call would be answered by another version.
        before = {
            **expect.weights(release, release.weights, context),
            **expect.idle(release, change.leaving, context),
        }
    return Stage(
        "second hop without the old version",
        f"{_listed(change.leaving)} has no request left, its own calls need no rule any more",
        [_service_route(change, service, release.deployed) for service in release.services],
        before=before,
        wait=expect.pins(release, expect.final_rules(release), release.stable, context),
    )


def _drop_subsets(change: Transition) -> Stage:
    release, context = change.release, change.context
    before: Wait = {}
    wait: Wait = {}
    if change.leaving:
        before = expect.pins(release, expect.final_rules(release), release.stable, context)
        wait = expect.without(release, change.leaving, context)
    if change.surplus_subsets():
        # A rule that led to the subset is gone everywhere.
        before |= expect.weights(release, release.weights, context)
    return Stage(
        "subsets without the old version",
        f"no route leads to {_listed(change.leaving)} any more",
        [
            change.final[f"DestinationRule {release.namespace}/{service}"]
            for service in release.services
        ],
        before=before,
        wait=wait,
    )


def _remove(change: Transition) -> Stage:
    """Whatever carries the release's labels and is not part of it."""
    kept = {*change.final, f"Secret {change.context.gateway_namespace}/{change.release.secret}"}
    surplus = [
        item
        for key, item in change.inventory.items()
        if key not in kept and item["kind"] in _REMOVAL_ORDER
    ]
    surplus.sort(key=lambda item: _REMOVAL_ORDER.index(item["kind"]))
    workloads = [item["metadata"]["name"] for item in surplus if item["kind"] == "Deployment"]
    before: Wait = {}
    if workloads and change.leaving:
        before = expect.without(change.release, change.leaving, change.context)
    if change.release.tls and any(item["kind"] == "Secret" for item in surplus):
        # Another certificate has taken its place.
        before |= expect.entry(change.release, change.context)
    return Stage(
        "remove",
        "no proxy knows the old version any more; its pods end",
        [_reference(item) for item in surplus],
        before=before,
        wait=expect.gone(workloads) if workloads else {},
        state="absent",
    )


def _service_route(change: Transition, service: str, versions: Iterable[str]) -> Block:
    release = change.release
    return routing.service_route(release, service, versions, release.stable, change.context)


def _reference(item: Block) -> Block:
    meta = item["metadata"]
    return {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
    }


def _listed(versions: list[str]) -> str:
    return ", ".join(versions) or "no version"
