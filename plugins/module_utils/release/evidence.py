# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release import names, readiness
from ansible_collections.roost.cluster.plugins.module_utils.release.cluster import (
    Cluster,
    Refused,
    Unreachable,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Block

_EVENTS = 5
_LOG_LINES = 5


def gather(cluster: Cluster, release: str, namespace: str, deployments: Iterable[str]) -> list[str]:
    """Why pods of these Deployments are not as they should be, as far as the cluster can tell."""
    deployments = list(deployments)
    try:
        pods = cluster.list("Pod", namespace, names.release_selector(release))
        events = cluster.list("Event", namespace, fields="type=Warning")
    except (Refused, Unreachable) as error:
        return [f"nothing more is known: {error}"]
    lines = []
    for pod in pods:
        if readiness.belongs_to(pod, deployments) and not readiness.is_ready(pod):
            lines += pod_lines(pod, _log_of(cluster, namespace))
    return lines + event_lines(events, deployments)


def pod_lines(pod: Block, log: Callable[[str, str], str]) -> list[str]:
    """What a pod that isn't ready says of itself."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    lines = []
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            lines.append(f"pod {name} has no node: {condition.get('message', '')}")
    containers = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    for container in containers:
        reason = _reason(container)
        if reason:
            lines.append(f"pod {name}, container {container['name']}: {reason}")
        if container.get("restartCount") or reason:
            lines += [f"  | {line}" for line in log(name, container["name"]).splitlines()]
    return lines


def _reason(container: Block) -> str:
    state: dict[str, Any] = container.get("state") or {}
    for key in ("waiting", "terminated"):
        found = state.get(key)
        if found and found.get("reason") not in ("Completed", "PodInitializing"):
            code = f" with code {found['exitCode']}" if "exitCode" in found else ""
            message = f": {found['message'].strip()}" if found.get("message") else ""
            return f"{found.get('reason', key)}{code}{message}"
    if "running" in state and not container.get("ready"):
        return f"runs, but is not ready ({container.get('restartCount', 0)} restarts)"
    return ""


def event_lines(events: list[Block], deployments: list[str]) -> list[str]:
    """The last warnings about these Deployments, their ReplicaSets and pods."""
    about = [
        event
        for event in events
        if any(_about(event["involvedObject"].get("name", ""), name) for name in deployments)
    ]
    about.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    return [
        f"event {event.get('reason')} of {event['involvedObject'].get('kind')} "
        f"{event['involvedObject'].get('name')}: {event.get('message', '').strip()}"
        for event in about[-_EVENTS:]
    ]


def _about(name: str, deployment: str) -> bool:
    return name == deployment or name.startswith(f"{deployment}-")


def _log_of(cluster: Cluster, namespace: str) -> Callable[[str, str], str]:
    return lambda pod, container: cluster.log(namespace, pod, container, _LOG_LINES)
