# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.roost.cluster.plugins.module_utils.api import comparison
from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import (
    FIELD_MANAGER,
    Block,
    object_key,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.parallel import in_parallel
from ansible_collections.roost.cluster.plugins.module_utils.release import names
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.problems import Problem

_OWNED_KINDS = (
    "ServiceAccount",
    "Service",
    "Deployment",
    "PodDisruptionBudget",
    "DestinationRule",
    "VirtualService",
    "Gateway",
    "PeerAuthentication",
    "EnvoyFilter",
    "Secret",
)
# What concerns the gateway's pods stands beside them.
_BESIDE_THE_GATEWAY = ("EnvoyFilter", "Secret")


def inventory(
    client: Client, release: str, namespace: str, gateway_namespace: str
) -> dict[str, Block]:
    """Every object that carries the labels of the release, by its key. What a drill injects is
    none of it: it would be taken away in the middle."""
    selector = names.release_selector(release)

    def of_kind(kind: str) -> list[Block]:
        place = gateway_namespace if kind in _BESIDE_THE_GATEWAY else namespace
        return client.list(kind, place, selector)

    lists = in_parallel(of_kind, _OWNED_KINDS)
    return {
        object_key(item): item
        for items in lists
        for item in items
        if names.DRILL_LABEL not in item["metadata"]["labels"]
    }


def workers(client: Client) -> int:
    """How many nodes take pods that tolerate no taint. One that is cordoned or doesn't answer is
    among them: Kubernetes' own taints come and go, and what pods are like must not go with them.
    """

    def takes_pods(node: Block) -> bool:
        return all(
            taint["key"].startswith("node.kubernetes.io/") or taint["effect"] == "PreferNoSchedule"
            for taint in node["spec"].get("taints") or []
        )

    return sum(takes_pods(node) for node in client.list("Node"))


def neighbours(client: Client, release: Release) -> list[Problem]:
    """What other releases of the cluster leave no room for."""
    ours = f"{names.MANAGED_BY}={FIELD_MANAGER}"
    problems = []
    for gateway in client.list("Gateway", None, ours):
        meta = gateway["metadata"]
        owner = (meta.get("labels") or {}).get(names.PART_OF)
        if owner == release.name and meta["namespace"] != release.namespace:
            problems.append(_moved(release, meta["namespace"]))
        elif owner != release.name:
            shared = _shared_hosts(release.hosts, _hosts(gateway))
            if shared:
                problems.append(_taken(shared, f"{meta['namespace']}/{owner}"))
    return problems


def _hosts(gateway: Block) -> list[str]:
    servers = gateway["spec"].get("servers") or []
    return [host.rpartition("/")[2] for server in servers for host in server.get("hosts") or []]


def _shared_hosts(ours: Iterable[str], theirs: Iterable[str]) -> list[str]:
    theirs = list(theirs)
    return [host for host in ours if any(_overlap(host, other) for other in theirs)]


def _overlap(one: str, other: str) -> bool:
    if one == other or "*" in (one, other):
        return True
    return any(
        wide.startswith("*.") and narrow.endswith(wide[1:])
        for wide, narrow in ((one, other), (other, one))
    )


def foreign(client: Client, wanted: Iterable[Block], found: Mapping[str, Block]) -> list[Problem]:
    """Objects under a name that the release needs, which somebody else made."""

    def owner(item: Block) -> Problem | None:
        if object_key(item) in found or item["kind"] == "Namespace":
            return None
        existing = client.get(item)
        if existing is None:
            return None
        labels = existing["metadata"].get("labels") or {}
        return _not_ours(item, labels.get(names.PART_OF) or labels.get(names.MANAGED_BY))

    return [problem for problem in in_parallel(owner, wanted) if problem]


def compare(
    client: Client, found: Mapping[str, Block], contents: Mapping[str, Block]
) -> dict[str, Change | None]:
    """What a server-side apply would change, for each content."""
    spaces = {object_key(item): item for item in contents.values() if item["kind"] == "Namespace"}
    # It may have been there before the release, without its labels.
    existing = {key: item for key, space in spaces.items() if (item := client.get(space))}
    return comparison.compare(client, {**existing, **found}, contents, names.RECORD_WORDING)


def _moved(release: Release, elsewhere: str) -> Problem:
    return Problem(
        "namespace",
        release.namespace,
        f"{elsewhere}, where this release runs",
        "a release can't be moved; remove the old one first, or give the new one another name",
    )


def _taken(shared: list[str], owner: str) -> Problem:
    return Problem(
        "hosts",
        shared,
        "hosts that no other release on the gateway answers for",
        f"{owner} has these; name hosts for both",
    )


def _not_ours(item: Block, owner: str | None) -> Problem:
    return Problem(
        "namespace",
        item["metadata"]["namespace"],
        "a namespace in which the release's names are free",
        f"{object_key(item)} exists already"
        + (f" and belongs to {owner}" if owner else " and was not made by Roost"),
    )
