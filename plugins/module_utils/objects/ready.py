# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether nodes and workloads are ready, and why not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.roost.cluster.plugins.module_utils.release import evidence, readiness
from ansible_collections.roost.cluster.plugins.module_utils.release.cluster import (
    Cluster,
    Refused,
    Unreachable,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Block

LOG_LINES = 5


@dataclass(frozen=True)
class Wanted:
    """Names of nodes, and of workloads in one namespace, that have to be ready."""

    nodes: Sequence[str] = ()
    namespace: str = ""
    deployments: Sequence[str] = ()
    daemon_sets: Sequence[str] = ()


@dataclass
class Outcome:
    """How a wait ended: after how many seconds, and what was missing then, with its reasons."""

    seconds: float
    missing: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)


def node_lacks(name: str, node: Block | None) -> str | None:
    """What keeps a node from being Ready, or None."""
    if node is None:
        return f"node {name} has not registered"
    for condition in (node.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] == "True":
            return None
        if condition["type"] == "Ready":
            return f"node {name} is not Ready: {condition.get('message', condition['status'])}"
    return f"node {name} has not reported yet"


def daemon_set_lacks(name: str, item: Block | None) -> str | None:
    """What keeps a DaemonSet from being rolled out, or None."""
    if item is None:
        return f"DaemonSet {name} doesn't exist"
    status = item.get("status") or {}
    if status.get("observedGeneration", 0) < item["metadata"].get("generation", 0):
        return f"{name}: Kubernetes has not seen the latest change yet"
    wanted = status.get("desiredNumberScheduled", 0)
    for key, words in (
        ("updatedNumberScheduled", "pods are made from the latest template"),
        ("numberAvailable", "pods are ready"),
    ):
        if status.get(key, 0) < wanted or not wanted:
            return f"{name}: {status.get(key, 0)} of {wanted} {words}"
    return None


Lacks = Callable[[str, "Block | None"], "str | None"]


def look(cluster: Cluster, wanted: Wanted) -> list[str]:
    """What is still missing."""
    table: Sequence[tuple[str, str | None, Sequence[str], Lacks]] = (
        ("Node", None, wanted.nodes, node_lacks),
        ("Deployment", wanted.namespace, wanted.deployments, readiness.deployment_lacks),
        ("DaemonSet", wanted.namespace, wanted.daemon_sets, daemon_set_lacks),
    )
    missing = []
    for kind, namespace, names, lacks in table:
        if names:
            live: Mapping[str, Block] = {
                item["metadata"]["name"]: item for item in cluster.list(kind, namespace)
            }
            missing += [text for name in names if (text := lacks(name, live.get(name)))]
    return missing


def wait(cluster: Cluster, wanted: Wanted, timeout: float, pause: float = 0.3) -> Outcome:
    """Look until nothing is missing, at most `timeout` seconds."""
    begun = time.monotonic()
    while True:
        try:
            missing = look(cluster, wanted)
        except (Refused, Unreachable) as error:
            # An API server that is restarted meanwhile is one more thing to wait for.
            missing = [str(error)]
        seconds = time.monotonic() - begun
        if not missing:
            return Outcome(round(seconds, 2))
        if seconds >= timeout:
            return Outcome(round(seconds, 2), missing, reasons(cluster, wanted))
        time.sleep(pause)  # polled: one list call a look is less than a watch for each kind


def reasons(cluster: Cluster, wanted: Wanted) -> list[str]:
    """What the pods of the workloads say of themselves."""
    workloads = [*wanted.deployments, *wanted.daemon_sets]
    if not workloads:
        return []
    try:
        pods = cluster.list("Pod", wanted.namespace)
        events = cluster.list("Event", wanted.namespace, fields="type=Warning")
    except (Refused, Unreachable) as error:
        return [f"nothing more is known: {error}"]

    def log(pod: str, container: str) -> str:
        return cluster.log(wanted.namespace, pod, container, LOG_LINES)

    lines = []
    for pod in pods:
        name = pod["metadata"]["name"]
        concerned = any(name.startswith(f"{workload}-") for workload in workloads)
        if concerned and not readiness.is_ready(pod):
            lines += evidence.pod_lines(pod, log)
    return lines + evidence.event_lines(events, workloads)
