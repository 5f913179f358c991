# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.verify.cluster import (
    Plain,
    Snapshot,
    Wanted,
    name_to_resolve,
    ready_pods,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.counters import PROXY
from ansible_collections.roost.cluster.plugins.module_utils.verify.kube import (
    Api,
    Executed,
    get_all,
    items,
    name,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import Service

SIDECAR_HEALTH = "15021/proxy/healthz/ready"

_RESOLVE = "import socket, sys; print(socket.getaddrinfo(sys.argv[1], int(sys.argv[2]))[0][4][0])"


def observe(api: Api, wanted: Wanted) -> Snapshot:
    """Read all that the checks look at: lists at once, then what needs a pod's name at once."""
    lists = get_all(
        api,
        {
            "nodes": "/api/v1/nodes",
            "pods": "/api/v1/pods",
            "deployments": "/apis/apps/v1/deployments",
            "daemonsets": "/apis/apps/v1/daemonsets",
        },
    )
    found = {key: items(answer) for key, answer in lists.items()}
    snapshot = Snapshot(
        nodes=found["nodes"],
        pods=found["pods"],
        deployments=found["deployments"],
        daemonsets=found["daemonsets"],
    )
    release = wanted.release
    chosen = {
        service: pods[0]
        for service in release.services
        if (pods := ready_pods(snapshot.pods, release.namespace, service.name))
    }
    with ThreadPoolExecutor() as pool:
        probes = [
            pool.submit(ask_in_plain_text, api, service, pod, release.namespace)
            for service, pod in chosen.items()
        ]
        resolved = (
            pool.submit(resolve, api, next(iter(chosen.values())), wanted) if chosen else None
        )
        return replace(
            snapshot,
            plain=tuple(probe.result() for probe in probes),
            resolved=resolved.result() if resolved else None,
        )


def resolve(api: Api, pod: dict[str, Any], wanted: Wanted) -> tuple[str, Executed]:
    """Resolve a cluster name inside a pod, with what its image happens to have."""
    host, service = name_to_resolve(wanted)
    namespace, container = wanted.release.namespace, application(pod)["name"]
    with_python = ["python3", "-c", _RESOLVE, host, str(service.port)]
    result = api.execute(namespace, name(pod), container, with_python)
    if not result.missing:
        return "python3", result
    return "getent", api.execute(namespace, name(pod), container, ["getent", "hosts", host])


def application(pod: dict[str, Any]) -> dict[str, Any]:
    """The container that isn't the sidecar, wherever the injector put that."""
    containers: list[dict[str, Any]] = pod["spec"]["containers"]
    return next((item for item in containers if item["name"] != PROXY), containers[0])


def ask_in_plain_text(api: Api, service: Service, pod: dict[str, Any], namespace: str) -> Plain:
    """Ask a pod as something outside the mesh does: the API server, which has no mesh identity."""
    ports = application(pod).get("ports") or [{"containerPort": service.port}]
    address = f"/api/v1/namespaces/{namespace}/pods/{name(pod)}"
    control, _ = api.raw(f"{address}:{SIDECAR_HEALTH}")
    status, body = api.raw(f"{address}:{ports[0]['containerPort']}/proxy/")
    return Plain(service.name, control, status, body)
