# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client
from ansible_collections.roost.cluster.plugins.module_utils.api.execution import Executed
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import name_of
from ansible_collections.roost.cluster.plugins.module_utils.api.parallel import in_parallel
from ansible_collections.roost.cluster.plugins.module_utils.release.names import PROXY
from ansible_collections.roost.cluster.plugins.module_utils.verify.cluster import (
    Plain,
    Snapshot,
    Wanted,
    name_to_resolve,
    ready_pods,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import Service

SIDECAR_HEALTH_PORT = 15021

_RESOLVE = "import socket, sys; print(socket.getaddrinfo(sys.argv[1], int(sys.argv[2]))[0][4][0])"


def observe(client: Client, wanted: Wanted) -> Snapshot:
    """Read all that the checks look at: lists at once, then what needs a pod's name at once."""
    kinds = ("Node", "Pod", "Deployment", "DaemonSet")
    nodes, pods, deployments, daemonsets = in_parallel(client.list, kinds)
    snapshot = Snapshot(nodes, pods, deployments, daemonsets)
    release = wanted.release
    chosen = {
        service: ready[0]
        for service in release.services
        if (ready := ready_pods(pods, release.namespace, service.name))
    }
    with ThreadPoolExecutor() as pool:
        probes = [
            pool.submit(ask_in_plain_text, client, service, pod, release.namespace)
            for service, pod in chosen.items()
        ]
        resolved = (
            pool.submit(resolve, client, next(iter(chosen.values())), wanted) if chosen else None
        )
        return replace(
            snapshot,
            plain=tuple(probe.result() for probe in probes),
            resolved=resolved.result() if resolved else None,
        )


def resolve(client: Client, pod: dict[str, Any], wanted: Wanted) -> tuple[str, Executed]:
    """Resolve a cluster name inside a pod, with what its image happens to have."""
    host, service = name_to_resolve(wanted)
    namespace, container = wanted.release.namespace, application(pod)["name"]
    with_python = ["python3", "-c", _RESOLVE, host, str(service.port)]
    result = client.execute(namespace, name_of(pod), container, with_python)
    if not result.missing:
        return "python3", result
    return "getent", client.execute(namespace, name_of(pod), container, ["getent", "hosts", host])


def application(pod: dict[str, Any]) -> dict[str, Any]:
    """The container that isn't the sidecar, wherever the injector put that."""
    containers: list[dict[str, Any]] = pod["spec"]["containers"]
    return next((item for item in containers if item["name"] != PROXY), containers[0])


def ask_in_plain_text(
    client: Client, service: Service, pod: dict[str, Any], namespace: str
) -> Plain:
    """Ask a pod as something outside the mesh does: the API server, which has no mesh identity."""
    ports = application(pod).get("ports") or [{"containerPort": service.port}]
    control, _text = client.ask_pod(namespace, name_of(pod), SIDECAR_HEALTH_PORT, "healthz/ready")
    status, body = client.ask_pod(namespace, name_of(pod), ports[0]["containerPort"], "")
    return Plain(service.name, control, status, body)
