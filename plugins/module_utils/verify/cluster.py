# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.execution import Executed
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import (
    label_of,
    leaving,
    name_of,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.readiness import (
    is_observed,
    is_ready,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.promise import (
    from_problems,
    not_applicable,
    promise,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import Service, Target

SERVICE_LABEL = "app"


@dataclass(frozen=True)
class Wanted:
    """What the cluster should be."""

    nodes: tuple[str, ...]
    workers: tuple[str, ...]
    version: str | None
    namespaces: tuple[str, ...]
    release: Target
    domain: str = "cluster.local"


@dataclass(frozen=True)
class Plain:
    """How a pod answered a request without mTLS, and, as a control, its health port."""

    service: str
    control_status: int
    status: int
    body: str


@dataclass(frozen=True)
class Snapshot:
    """Everything that was read from the cluster, as the API server sent it."""

    nodes: list[dict[str, Any]]
    pods: list[dict[str, Any]]
    deployments: list[dict[str, Any]]
    daemonsets: list[dict[str, Any]]
    resolved: tuple[str, Executed] | None = None
    """The command that resolved a name in a pod, and how it ended; None without a pod."""
    plain: tuple[Plain, ...] = ()


def judge(snapshot: Snapshot, wanted: Wanted) -> list[dict[str, Any]]:
    return [check(snapshot, wanted) for check in CHECKS]


def nodes_ready(snapshot: Snapshot, wanted: Wanted) -> dict[str, Any]:
    present = {name_of(node) for node in snapshot.nodes}
    missing = [f"{node} has not joined" for node in wanted.nodes if node not in present]
    unready = [f"{name_of(node)} is not Ready" for node in snapshot.nodes if not is_ready(node)]
    return from_problems(
        "nodes ready",
        f"{', '.join(wanted.nodes) or 'every node'} Ready",
        f"{len(snapshot.nodes)} of {len(snapshot.nodes)}",
        missing + unready,
        "kubectl describe node; journalctl -u kubelet on that node",
    )


def versions_pinned(snapshot: Snapshot, wanted: Wanted) -> dict[str, Any]:
    if wanted.version is None:
        return not_applicable("versions as pinned", "a pinned version", "no version was given")
    pinned = "v" + wanted.version.lstrip("v")
    found = {name_of(node): node["status"]["nodeInfo"]["kubeletVersion"] for node in snapshot.nodes}
    return from_problems(
        "versions as pinned",
        f"kubelet {pinned} on every node",
        f"{pinned} on {len(found)} nodes",
        [f"{node} runs {version}" for node, version in found.items() if version != pinned]
        or ([] if found else ["there are no nodes"]),
        "run playbooks/cluster.yml, which brings nodes to the pinned version",
    )


def system_pods_up(snapshot: Snapshot, wanted: Wanted) -> dict[str, Any]:
    return _all_up("system pods up", snapshot, wanted.namespaces)


def release_pods_up(snapshot: Snapshot, wanted: Wanted) -> dict[str, Any]:
    return _all_up("release pods up", snapshot, (wanted.release.namespace,))


def _all_up(title: str, snapshot: Snapshot, namespaces: Sequence[str]) -> dict[str, Any]:
    pods = [
        pod
        for pod in snapshot.pods
        if any(_in(pod, namespace) for namespace in namespaces) and not leaving(pod)
    ]
    problems = [
        f"namespace {namespace} has no pods"
        for namespace in namespaces
        if not any(_in(pod, namespace) for pod in pods)
    ]
    problems += [problem for pod in pods if (problem := _pod_problem(pod))]
    for kind, workloads, progress in (
        ("deployment", snapshot.deployments, _deployment_progress),
        ("daemonset", snapshot.daemonsets, _daemonset_progress),
    ):
        for workload in workloads:
            have, want = progress(workload)
            if have < want and any(_in(workload, namespace) for namespace in namespaces):
                problems.append(f"{kind} {_full(workload)}: {have} of {want} ready and current")
    return from_problems(
        title,
        f"every pod of {', '.join(namespaces)} ready, none missing",
        f"{len(pods)} pods",
        problems,
        f"kubectl -n {namespaces[0] if namespaces else 'default'} get pods,events",
    )


def _in(thing: Mapping[str, Any], namespace: str) -> bool:
    return bool(thing["metadata"].get("namespace") == namespace)


def _full(thing: Mapping[str, Any]) -> str:
    return f"{thing['metadata'].get('namespace')}/{name_of(thing)}"


def _pod_problem(pod: Mapping[str, Any]) -> str | None:
    phase = pod.get("status", {}).get("phase", "Unknown")
    if phase == "Succeeded" or (phase == "Running" and is_ready(pod)):
        return None
    waiting = [
        reason
        for container in pod["status"].get("containerStatuses") or []
        if (reason := (container.get("state", {}).get("waiting") or {}).get("reason"))
    ]
    state = ", ".join(waiting) or ("Running, not ready" if phase == "Running" else str(phase))
    return f"pod {_full(pod)}: {state}"


def _deployment_progress(workload: Mapping[str, Any]) -> tuple[int, int]:
    status = workload.get("status", {})
    want = int(workload["spec"].get("replicas", 1))
    have = min(int(status.get("readyReplicas", 0)), int(status.get("updatedReplicas", 0)))
    return _if_observed(workload, have), want


def _daemonset_progress(workload: Mapping[str, Any]) -> tuple[int, int]:
    status = workload.get("status", {})
    want = int(status.get("desiredNumberScheduled", 0))
    have = min(int(status.get("numberReady", 0)), int(status.get("updatedNumberScheduled", 0)))
    return _if_observed(workload, have), want


def _if_observed(workload: Mapping[str, Any], have: int) -> int:
    """A status that is older than the specification says nothing about it."""
    return have if is_observed(workload) else 0


def services_spread(snapshot: Snapshot, wanted: Wanted) -> dict[str, Any]:
    title, workers = "services on every worker", wanted.workers
    if len(workers) < 2:
        why = f"does not apply with {len(workers)} worker"
        return not_applicable(title, "pods of every service on every worker", why)
    problems = []
    for service in wanted.release.services:
        # Two replicas can't be on three workers.
        need = min(len(workers), service.replicas)
        there = {
            str(pod["spec"].get("nodeName"))
            for pod in ready_pods(snapshot.pods, wanted.release.namespace, service.name)
        } & set(workers)
        if len(there) < need:
            lacking = ", ".join(worker for worker in workers if worker not in there)
            problems.append(f"{service.name}: no ready pod on {lacking}")
    return from_problems(
        title,
        "ready pods of every service on every worker, or on as many as it has replicas",
        f"{', '.join(service.name for service in wanted.release.services)} on {', '.join(workers)}",
        problems,
        f"kubectl -n {wanted.release.namespace} get pods -o wide; a pod deleted is placed anew",
    )


def ready_pods(
    pods: Iterable[dict[str, Any]], namespace: str, service: str
) -> list[dict[str, Any]]:
    return [
        pod
        for pod in pods
        if _in(pod, namespace) and label_of(pod, SERVICE_LABEL) == service and is_ready(pod)
    ]


def name_to_resolve(wanted: Wanted) -> tuple[str, Service]:
    """The service behind the entry service, by its full name."""
    release = wanted.release
    service = (release.others or (release.entry,))[0]
    return f"{service.name}.{release.namespace}.svc.{wanted.domain}", service


def name_resolves(snapshot: Snapshot, wanted: Wanted) -> dict[str, Any]:
    host, _kind = name_to_resolve(wanted)
    title, expected = "a cluster name resolves", f"{host} resolves in a pod"
    if snapshot.resolved is None:
        found = f"no ready pod in namespace {wanted.release.namespace}"
        return promise(title, False, expected, found, "see the release's pods first")
    command, result = snapshot.resolved
    if result.missing:
        why = "not checkable: the image has neither python3 nor getent"
        return not_applicable(title, expected, why)
    output = result.text.strip().splitlines()
    if result.code == 0 and output:
        return promise(title, True, expected, f"{host} is {output[0].split()[0]} (by {command})")
    last = output[-1] if output else f"{command} ended with {result.code}"
    advice = "kubectl -n kube-system logs -l k8s-app=kube-dns"
    return promise(title, False, expected, last, advice)


def mtls_in_force(snapshot: Snapshot, wanted: Wanted) -> dict[str, Any]:
    title = "mTLS strict"
    expected = "a request without mTLS is refused by the pods of every service"
    if not snapshot.plain:
        return promise(title, False, expected, "no ready pod", "see the release's pods first")
    if all(probe.control_status != 200 for probe in snapshot.plain):
        # Without the control a refusal proves nothing: the pod may be out of reach altogether.
        control = snapshot.plain[0].control_status
        why = f"not checkable: the sidecar's health port answered {control}"
        return not_applicable(title, expected, why)
    problems = [
        f"{probe.service} answered plain text with status {probe.status}: {probe.body[:80]!r}"
        for probe in snapshot.plain
        if not _refused(probe)
    ]
    return from_problems(
        title,
        expected,
        f"refused by {', '.join(probe.service for probe in snapshot.plain)}",
        problems,
        f"kubectl -n {wanted.release.namespace} get peerauthentication -o yaml: mode STRICT?",
    )


def _refused(probe: Plain) -> bool:
    """The API server reports a connection that the sidecar closed as its own 502 or 503."""
    return probe.status in (502, 503) and "error trying to reach service" in probe.body.lower()


Check = Callable[[Snapshot, Wanted], dict[str, Any]]

CHECKS: tuple[Check, ...] = (
    nodes_ready,
    versions_pinned,
    system_pods_up,
    release_pods_up,
    services_spread,
    name_resolves,
    mtls_in_force,
)
