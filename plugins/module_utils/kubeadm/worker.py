# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a worker machine is like, and what is to be done about it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import (
    causes,
    kubelet,
    membership,
    observed,
    pod_network,
    trial,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import (
    BINARIES,
    KUBELET_CONF,
    Done,
    KubeadmError,
    kubeadm,
    kubectl,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.documents import (
    CRI_SOCKET,
    as_text,
)

# What a join leaves before kubelet has credentials; kubeadm refuses to join over it.
HALF_JOINED = (
    "/etc/kubernetes/bootstrap-kubelet.conf",
    "/etc/kubernetes/pki/ca.crt",
    "/var/lib/kubelet/config.yaml",
)
JOINED_SECONDS = 60


class Silent(KubeadmError):
    """The API doesn't answer, so nothing is known of the node."""


@dataclass(frozen=True)
class State:
    """What was seen: kubelet's credentials, what the API says of the node, kubelet itself.

    `answer` is registered, unknown (no such node, or credentials refused), unreachable, or unasked
    (another cluster's); `said` is how that was told, `server` the API server's address by the
    credentials, and `control_plane` the path that shows that the machine is one.
    """

    credentials: bool
    answer: str
    running: bool
    leftovers: bool = False
    said: str = ""
    server: str = ""
    control_plane: str = ""
    node: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What to do, and why. `action` is nothing, start, join or reset (and join)."""

    action: str
    why: str = ""


def decide(state: State, endpoint: str, address: str) -> Plan:
    """What a seen state asks for, of a machine that is to be a worker of the cluster at the
    endpoint, and a node with this address."""
    _refuse_others(state, endpoint)
    _refuse_another_address(state, address)
    if not state.credentials and state.leftovers:
        return Plan("reset", "an earlier join ended half-way")
    if not state.credentials:
        return Plan("join", "not part of a cluster")
    if state.answer == "unreachable":
        raise Silent(
            f"the API server at {state.server} doesn't answer this machine, which has joined "
            f"before, so nothing was changed: found {state.said or 'no answer'}; expected its "
            "node. Look whether the control plane runs, no firewall is between the two machines, "
            "and both clocks are right"
        )
    if state.answer == "unknown":
        return Plan("reset", "it has joined before, and the cluster doesn't know it")
    if not state.running:
        return Plan("start", "kubelet doesn't run")
    return Plan("nothing")


def _refuse_others(state: State, endpoint: str) -> None:
    """A machine of another cluster is never touched: a reset would take its data."""
    wanted = f"https://{endpoint}"
    if state.credentials and state.server != wanted:
        raise KubeadmError(
            f"{KUBELET_CONF}: this machine belongs to the cluster at {state.server}, expected "
            f"{wanted} or none, so nothing was changed. Correct the machine's address in the "
            "inventory, or the endpoint where both are one cluster's; run `kubeadm reset` on the "
            "machine first if it is to join this one"
        )
    if state.control_plane and state.answer != "registered":
        raise KubeadmError(
            f"{state.control_plane}: this machine is a control plane, expected one that is to be a "
            "worker, so nothing was changed. Correct the machine's address in the inventory; if "
            "what it holds may go, run `kubeadm reset` on it first, and remove what is left in "
            "/var/lib/etcd"
        )


def _refuse_another_address(state: State, address: str) -> None:
    """kubelet keeps the address with which it has joined."""
    known = (state.node.get("status") or {}).get("addresses") or []
    found = [one["address"] for one in known if one["type"] == "InternalIP"]
    if found and address not in found:
        name = state.node["metadata"]["name"]
        raise KubeadmError(
            f"{name}: joined with the address {', '.join(found)}, expected {address}, and a node "
            "keeps its address, so nothing was changed. Correct node_ip in the inventory; to give "
            f"the node another one, run `kubectl drain {name} --ignore-daemonsets "
            f"--delete-emptydir-data` and `kubectl delete node {name}`, `kubeadm reset` on the "
            "machine, and the same again"
        )


def answer_of(code: int, error: str) -> str:
    """What the API says of the node, from how kubectl ended."""
    if code == 0:
        return "registered"
    # Another certificate error, as of a clock that is off, says nothing about the cluster.
    words = ("NotFound", "Unauthorized", "Forbidden", "signed by unknown authority")
    return "unknown" if any(word in error for word in words) else "unreachable"


def look(node: str, endpoint: str) -> State:
    """What this machine is like now, which is to be a worker of the cluster at the endpoint."""
    server, control_plane = membership.server(), membership.control_plane()
    if not server:
        leftovers = any(Path(path).exists() for path in HALF_JOINED)
        return State(False, "unknown", False, leftovers, control_plane=control_plane)
    if server != f"https://{endpoint}":
        return State(True, "unasked", False, server=server)
    asked = _ask(node)
    said = (asked.err.strip().splitlines() or [""])[-1]
    found = {} if asked.code else json.loads(asked.out)
    return State(
        credentials=True,
        answer=answer_of(asked.code, asked.err),
        running=kubelet.runs(),
        said=said,
        server=server,
        control_plane=control_plane,
        node=found,
    )


def registered(node: str) -> bool:
    asked = _ask(node)
    return answer_of(asked.code, asked.err) == "registered"


def _ask(node: str) -> Done:
    return kubectl(KUBELET_CONF, "get", "node", node, "-o", "json")


def observe(state: State) -> dict[str, Any]:
    """What a registered worker is like, for the controller."""
    asked = kubectl(
        KUBELET_CONF, "get", "configmap", "kubelet-config", "-n", "kube-system", "-o", "json"
    )
    if asked.code:
        raise KubeadmError(
            "configmap/kubelet-config: expected in kube-system, and can't be read: "
            f"{asked.err.strip()}; run the role control_plane, which puts it there"
        )
    return observed.worker(state.node, json.loads(asked.out)["data"]["kubelet"])


def act(plan: Plan, document: dict[str, Any], node: str) -> None:
    """Bring the machine to the state, and wait until the cluster knows the node."""
    if plan.action == "start":
        kubelet.start()
        return
    if plan.action == "reset":
        kubeadm("reset", "--force", "--cri-socket", CRI_SOCKET)
        trial.forget_all()
    # Not only after a reset of ours: it may have been a person's, or a run that was killed then.
    pod_network.forget()
    kubeadm("join", "--config=/dev/stdin", stdin=as_text([document]))
    until = time.monotonic() + JOINED_SECONDS
    while not registered(node):
        if time.monotonic() > until:
            raise KubeadmError(
                f"{node}: kubeadm joined it, and the API doesn't list it within {JOINED_SECONDS} "
                f"s; {causes.told()}"
            )
        time.sleep(0.5)  # kubelet registers by itself; its credentials allow no watch before


def reconfigure() -> None:
    """Give kubelet the configuration that the cluster has for all of them."""
    kubelet.reconfigure([str(BINARIES / "kubeadm"), "upgrade", "node", "phase", "kubelet-config"])
