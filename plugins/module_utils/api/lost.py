# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pods on nodes that aren't Ready: only their node brings them back, so nobody waits for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import leaving, name_of
from ansible_collections.roost.cluster.plugins.module_utils.api.readiness import is_ready

# The names of lost pods' nodes, one for each pod, by workload.
Lost = Mapping[str, list[str]]


def lost_pods(client: Client, namespace: str, selector: str = "") -> Lost:
    """The workloads of a namespace with pods that are there in name only."""
    down = {name_of(node) for node in client.list("Node") if not is_ready(node)}
    if not down:
        return {}
    found: dict[str, list[str]] = {}
    for pod in client.list("Pod", namespace, selector):
        node = (pod.get("spec") or {}).get("nodeName")
        if node in down and not leaving(pod):
            found.setdefault(owner_of(pod), []).append(node)
    return found


def owner_of(pod: Mapping[str, Any]) -> str:
    """The Deployment or DaemonSet that a pod belongs to; empty if it is nobody's."""
    for owner in pod["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            name = str(owner["name"])
            # A Deployment has its pods by a ReplicaSet, whose name is the Deployment's and a hash.
            return name.rpartition("-")[0] if owner["kind"] == "ReplicaSet" else name
    return ""


def notes(lost: Lost, workloads: Iterable[str]) -> list[str]:
    """What is not waited for."""
    return [
        f"{name}: {len(lost[name])} pods are not waited for, because their node isn't Ready: "
        f"{', '.join(sorted(set(lost[name])))}"
        for name in workloads
        if lost.get(name)
    ]
