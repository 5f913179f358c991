# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether nodes and workloads are ready, and why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.roost.cluster.plugins.module_utils.api import (
    evidence,
    lost,
    readiness,
    waiting,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client, Refused
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, name_of


@dataclass(frozen=True)
class Wanted:
    """Names of nodes, of workloads in one namespace, and of the cluster's validating webhooks, that
    have to be ready, and an object about which webhooks have to answer."""

    nodes: Sequence[str] = ()
    namespace: str = ""
    deployments: Sequence[str] = ()
    daemon_sets: Sequence[str] = ()
    validators: Sequence[str] = ()
    probe: Block | None = None


@dataclass
class Outcome:
    """How a wait ended: after how many seconds, what was missing then, with its reasons, and what
    was not waited for."""

    seconds: float
    missing: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Lacks = Callable[[str, "Block | None", int], "str | None"]


def look(client: Client, wanted: Wanted) -> list[str]:
    """What is still missing on nodes that are there."""
    nodes = {name_of(node): node for node in client.list("Node")} if wanted.nodes else {}
    unready = [
        text for name in wanted.nodes if (text := readiness.node_lacks(name, nodes.get(name)))
    ]
    if missing := _workloads(client, wanted, {}):
        missing = _workloads(client, wanted, lost.lost_pods(client, wanted.namespace))
    return unready + missing + _validators(client, wanted) or _answers(client, wanted)


def _validators(client: Client, wanted: Wanted) -> list[str]:
    if not wanted.validators:
        return []
    live = {name_of(item): item for item in client.list("ValidatingWebhookConfiguration")}
    found = (readiness.validator_lacks(name, live.get(name)) for name in wanted.validators)
    return [text for text in found if text]


def _answers(client: Client, wanted: Wanted) -> list[str]:
    """Whether webhooks answer. That their pods are ready says little just after a restart of their
    nodes: kubelet repeats at first what it knew before."""
    if wanted.probe is None:
        return []
    try:
        client.dry_run(wanted.probe)
    except Refused as error:
        return [str(error)]
    return []


def _workloads(client: Client, wanted: Wanted, gone: lost.Lost) -> list[str]:
    table: Sequence[tuple[str, Sequence[str], Lacks]] = (
        ("Deployment", wanted.deployments, readiness.deployment_lacks),
        ("DaemonSet", wanted.daemon_sets, readiness.daemon_set_lacks),
    )
    missing = []
    for kind, names, lacks in table:
        if names:
            live: Mapping[str, Block] = {
                name_of(item): item for item in client.list(kind, wanted.namespace)
            }
            found = (lacks(name, live.get(name), len(gone.get(name, ()))) for name in names)
            missing += [text for text in found if text]
    return missing


def wait(client: Client, wanted: Wanted, timeout: float, pause: float = 0.3) -> Outcome:
    """Look until nothing is missing, at most `timeout` seconds."""
    seconds, missing = waiting.wait(lambda: look(client, wanted), timeout, pause)
    if missing:
        return Outcome(seconds, missing, reasons(client, wanted))
    workloads = [*wanted.deployments, *wanted.daemon_sets]
    gone = lost.lost_pods(client, wanted.namespace) if workloads else {}
    return Outcome(seconds, notes=lost.notes(gone, workloads))


def reasons(client: Client, wanted: Wanted) -> list[str]:
    """What the pods of the workloads say of themselves."""
    workloads = [*wanted.deployments, *wanted.daemon_sets]
    if not workloads:
        return []

    def concerned(pod: Block) -> bool:
        return any(evidence.is_part(name_of(pod), workload) for workload in workloads)

    return evidence.gather(client, wanted.namespace, workloads, concerned)
