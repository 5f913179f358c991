# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether nodes and workloads are ready, and why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.roost.cluster.plugins.module_utils.api import (
    evidence,
    readiness,
    waiting,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, name_of


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


Lacks = Callable[[str, "Block | None"], "str | None"]


def look(client: Client, wanted: Wanted) -> list[str]:
    """What is still missing."""
    table: Sequence[tuple[str, str | None, Sequence[str], Lacks]] = (
        ("Node", None, wanted.nodes, readiness.node_lacks),
        ("Deployment", wanted.namespace, wanted.deployments, readiness.deployment_lacks),
        ("DaemonSet", wanted.namespace, wanted.daemon_sets, readiness.daemon_set_lacks),
    )
    missing = []
    for kind, namespace, names, lacks in table:
        if names:
            live: Mapping[str, Block] = {
                name_of(item): item for item in client.list(kind, namespace)
            }
            missing += [text for name in names if (text := lacks(name, live.get(name)))]
    return missing


def wait(client: Client, wanted: Wanted, timeout: float, pause: float = 0.3) -> Outcome:
    """Look until nothing is missing, at most `timeout` seconds."""
    seconds, missing = waiting.wait(lambda: look(client, wanted), timeout, pause)
    return Outcome(seconds, missing, reasons(client, wanted) if missing else [])


def reasons(client: Client, wanted: Wanted) -> list[str]:
    """What the pods of the workloads say of themselves."""
    workloads = [*wanted.deployments, *wanted.daemon_sets]
    if not workloads:
        return []

    def concerned(pod: Block) -> bool:
        return any(evidence.is_part(name_of(pod), workload) for workload in workloads)

    return evidence.gather(client, wanted.namespace, workloads, concerned)
