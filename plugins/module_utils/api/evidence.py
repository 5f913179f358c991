# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why pods are not as they should be, as far as the cluster can tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import ApiError, Client
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import (
    Block,
    container_statuses,
    name_of,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.readiness import is_ready

_EVENTS = 5
_LOG_LINES = 5


def gather(
    client: Client,
    namespace: str,
    workloads: Sequence[str],
    concerned: Callable[[Block], bool],
    selector: str = "",
) -> list[str]:
    """What those of the concerned pods that aren't ready say, and the events about workloads."""
    try:
        pods = client.list("Pod", namespace, selector)
        events = client.list("Event", namespace, fields="type=Warning")
    except ApiError as error:
        return [f"nothing more is known: {error}"]

    def log(pod: str, container: str) -> str:
        return client.log(namespace, pod, container, _LOG_LINES)

    lines = []
    for pod in pods:
        if concerned(pod) and not is_ready(pod):
            lines += pod_lines(pod, log)
    return lines + event_lines(events, workloads)


def pod_lines(pod: Block, log: Callable[[str, str], str]) -> list[str]:
    """What a pod that isn't ready says of itself."""
    pod_name, status = name_of(pod), pod.get("status") or {}
    lines = []
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            lines.append(f"pod {pod_name} has no node: {condition.get('message', '')}")
    for container in container_statuses(pod):
        reason = _reason(container)
        if reason:
            lines.append(f"pod {pod_name}, container {container['name']}: {reason}")
        if container.get("restartCount") or reason:
            lines += [f"  | {line}" for line in log(pod_name, container["name"]).splitlines()]
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


def event_lines(events: Sequence[Block], workloads: Sequence[str]) -> list[str]:
    """The last warnings about these workloads, their ReplicaSets and pods."""
    about = [
        event
        for event in events
        if any(is_part(event["involvedObject"].get("name", ""), name) for name in workloads)
    ]
    about.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    return [
        f"event {event.get('reason')} of {event['involvedObject'].get('kind')} "
        f"{event['involvedObject'].get('name')}: {event.get('message', '').strip()}"
        for event in about[-_EVENTS:]
    ]


def is_part(name: str, workload: str) -> bool:
    """Whether something is the workload, or one of its ReplicaSets or pods, by its name."""
    return name == workload or name.startswith(f"{workload}-")
