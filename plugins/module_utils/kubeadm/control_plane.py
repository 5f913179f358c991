# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a control-plane machine is like, and what is to be done about it."""

from __future__ import annotations

import contextlib
import secrets
import string
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import (
    causes,
    etcd,
    kubelet,
    membership,
    pod_network,
    reset,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import (
    ADMIN_CONF,
    KUBELET_CONF,
    KubeadmError,
    kubeadm,
    kubectl,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.documents import as_text
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.observed import by_name
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.steps import (
    name_service,
    pull,
)

# The name service; its other objects are made between these two.
DNS = ("Deployment/coredns", "Service/kube-dns")
# What `kubeadm init` leaves in the cluster, in the order in which it makes it.
LEFT_BY_INIT = (
    "ConfigMap/kubeadm-config",
    "ConfigMap/kubelet-config",
    *DNS,
    "ConfigMap/kube-proxy",
    "DaemonSet/kube-proxy",
    # The last of all. Of what is made between these, nothing lacks if it is there.
    "RoleBinding/kube-proxy",
)
# What kubelet's kubeconfig refers to once kubeadm init has recorded the cluster: until then it
# has the certificate in itself.
ROTATED = "kubelet-client-current.pem"
RECOVERY_SECONDS = 90
GIVE_UP = (
    "to give the cluster up, run `kubeadm reset` on the machine, or `make down` where `make up` "
    "has made it"
)


@dataclass(frozen=True)
class State:
    """What was seen on the machine and in its API."""

    manifests: bool = False
    etcd_data: bool = False
    admin_conf: bool = False
    api: bool = False
    reset_begun: bool = False
    # Whether kubeadm init got as far as recording the cluster in it.
    recorded: bool = False
    # The API that kubelet asks, by its credentials.
    server: str = ""
    # Whether kubelet runs; without it everything else goes on as it is.
    running: bool = False
    # By kind and name: all nodes, and what kubeadm init leaves.
    objects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def nodes(self) -> list[str]:
        return [key.partition("/")[2] for key in self.objects if key.startswith("Node/")]

    @property
    def untouched(self) -> bool:
        return not (self.manifests or self.etcd_data or self.admin_conf or self.reset_begun)


@dataclass(frozen=True)
class Plan:
    """What to do, and why. `action` is nothing, start, init, finish, recover or reset."""

    action: str
    why: str = ""
    # By kind and name, what kubeadm init hasn't made yet.
    missing: tuple[str, ...] = ()


def decide(state: State, node: str) -> Plan:
    """What a seen state asks for."""
    if state.untouched:
        if state.server:
            raise KubeadmError(
                f"{KUBELET_CONF}: this machine is a worker of the cluster at {state.server}, "
                "expected one that belongs to none, so it was not made a control plane. Correct "
                "its address in the inventory; run `kubeadm reset` on the machine first if it is "
                "to be a control plane"
            )
        return Plan("init", "no control plane on this machine")
    if state.reset_begun:
        return Plan("reset", "an earlier run ended while it reset this machine")
    if not state.api:
        if not state.etcd_data:
            return _again(state, "an earlier run of kubeadm init ended before etcd held anything")
        return Plan("recover", "the control plane is there, and its API doesn't answer")
    missing = lacking(state, node)
    if not missing:
        return Plan("nothing") if state.running else Plan("start", "kubelet doesn't run")
    if "ConfigMap/kubeadm-config" in missing:
        return unrecorded(state, state.nodes, node)
    return Plan("finish", f"an earlier run ended before {', '.join(missing)}", tuple(missing))


def lacking(state: State, node: str) -> list[str]:
    """What kubeadm init leaves and the API hasn't, by kind and name."""
    return [name for name in (f"Node/{node}", *LEFT_BY_INIT) if name not in state.objects]


def unrecorded(state: State, nodes: Iterable[str], node: str) -> Plan:
    """What to do about a cluster with these nodes, in which no record of kubeadm init is."""
    # Its own node is there as well before the cluster is recorded.
    belong = [name for name in nodes if state.recorded or name != node]
    if belong:
        raise KubeadmError(
            "ConfigMap/kubeadm-config: expected in kube-system, where kubeadm init leaves it, "
            f"and not found, while {', '.join(belong)} belong to the cluster, so nothing was "
            f"reset. Restore it, and run the same again; {GIVE_UP}"
        )
    return _again(state, "an earlier run of kubeadm init ended before it recorded the cluster")


def _again(state: State, why: str) -> Plan:
    """Reset what kubeadm init has begun; never a cluster that it had finished, whose data is on a
    disk that isn't mounted, say: its certificates couldn't be had back."""
    if state.recorded:
        raise KubeadmError(
            f"{reset.ETCD_DATA}: expected the data of the cluster that kubeadm init has finished "
            f"on this machine ({KUBELET_CONF} says so), and found none of it, so nothing was "
            "reset. Mount its disk or put a copy back, reboot the machine, and run the same again; "
            f"{GIVE_UP}"
        )
    return Plan("reset", why)


def look() -> State:
    """What this machine is like now."""
    admin = Path(ADMIN_CONF).exists()
    state = State(
        manifests=any(Path("/etc/kubernetes/manifests").glob("*.yaml")),
        etcd_data=reset.holds_data(),
        admin_conf=admin,
        reset_begun=reset.begun(),
        recorded=_recorded(Path(KUBELET_CONF)),
        server=membership.server(),
    )
    if not admin or kubectl(ADMIN_CONF, "get", "--raw", "/readyz").code:
        return state
    get = ("get", "-n", "kube-system", "-o", "json", "--ignore-not-found")
    left = kubectl(ADMIN_CONF, *get, *LEFT_BY_INIT)
    nodes = kubectl(ADMIN_CONF, "get", "nodes", "-o", "json")
    # Half an answer would look as if something was missing.
    if left.code or nodes.code:
        return state
    objects = {**by_name(left.out), **by_name(nodes.out)}
    return replace(state, api=True, running=kubelet.runs(), objects=objects)


def look_again(node: str) -> State:
    """What a machine is like of which the API has just answered; all that is compared is there."""
    state = look()
    missing = lacking(state, node)
    if missing:
        found = f"that it lacks {', '.join(missing)}" if state.api else "no answer"
        raise KubeadmError(
            "the API server of this machine: expected what kubeadm init makes in the cluster, "
            f"found {found} after it had answered, so nothing was compared. Put right what is said "
            f"below, and run the same again.\n{causes.told()}"
        )
    return state


def _recorded(kubeconfig: Path) -> bool:
    return kubeconfig.exists() and ROTATED in kubeconfig.read_text()


def act(plan: Plan, documents: list[dict[str, Any]], images: dict[str, str]) -> None:
    """Bring the machine to the state; `images` are the names and digests that init may run."""
    if plan.action == "start":
        kubelet.start()
    elif plan.action == "recover":
        _recover(documents[0]["nodeRegistration"]["name"], documents, images)
    elif plan.action == "finish":
        _finish(plan.missing, documents)
    elif plan.action == "reset":
        reset.reset()
        _init(documents, images)
    elif plan.action == "init":
        _init(documents, images)


def _recover(node: str, documents: list[dict[str, Any]], images: dict[str, str]) -> None:
    """Start kubelet and ask the API, or etcd, until one of them says what there is.

    Only what they say leads to a reset, never that they say nothing.
    """
    kubelet.start()
    until = time.monotonic() + RECOVERY_SECONDS
    while True:
        plan, silence = _recovered(node)
        if plan:
            act(plan, documents, images)
            return
        if time.monotonic() > until:
            raise KubeadmError(
                f"{silence}, so nothing was reset. Put right what is said below, and run the same "
                f"again; {GIVE_UP}.\n{causes.told()}"
            )
        time.sleep(1)  # polled: there is nothing yet that could be watched


def _recovered(node: str) -> tuple[Plan | None, str]:
    """What is to be done as far as it can be known, else what is silent."""
    state = look()
    if state.api:
        return decide(state, node), ""
    silence = f"the API server doesn't answer within {RECOVERY_SECONDS} s"
    try:
        held = etcd.held()
    except etcd.Unreadable as error:
        return None, f"{silence}, and etcd's directory {reset.ETCD_DATA} holds data: {error}"
    if not held.cluster:
        return unrecorded(state, held.nodes, node), ""
    return None, f"{silence}, and etcd holds a cluster with {', '.join(held.nodes) or 'no node'}"


@contextlib.contextmanager
def _with_token(documents: list[dict[str, Any]]) -> Iterator[str]:
    """The documents as text, with a bootstrap token that lives a minute and is revoked at the end.

    kubeadm makes one that lives a day unless it is given one. Workers get their own when they join.
    """
    token = random_token()
    first = {**documents[0], "bootstrapTokens": [{"token": token, "ttl": "1m0s"}]}
    yield as_text([first, *documents[1:]])
    kubeadm("token", "delete", token.partition(".")[0], "--kubeconfig", ADMIN_CONF)


def _init(documents: list[dict[str, Any]], images: dict[str, str]) -> None:
    with _with_token(documents) as text:
        kubeadm("config", "validate", "--config=/dev/stdin", stdin=text)
        pull(text, images)
        pod_network.forget()
        kubeadm("init", "--config=/dev/stdin", "--skip-token-print", stdin=text)


def _finish(missing: Iterable[str], documents: list[dict[str, Any]]) -> None:
    """Run the phases after the API is up; each of them may run any number of times."""
    with _with_token(documents) as text:
        for phase in (
            "upload-config all",
            "mark-control-plane",
            "bootstrap-token --skip-token-print",
            "kubelet-finalize all",
            "addon kube-proxy",
        ):
            kubeadm("init", "phase", *phase.split(), "--config=/dev/stdin", stdin=text)
        if not {*DNS}.isdisjoint(missing):
            name_service(text)


def random_token() -> str:
    """A bootstrap token: 6 and 16 characters, as Kubernetes wants them."""
    letters = string.ascii_lowercase + string.digits
    parts = ["".join(secrets.choice(letters) for _position in range(length)) for length in (6, 16)]
    return ".".join(parts)
