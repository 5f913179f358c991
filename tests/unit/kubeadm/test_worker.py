# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is to be done about a machine that is to be a worker, whatever it is now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import membership, worker
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import KubeadmError

ENDPOINT = "192.168.56.100:6443"
ADDRESS = "192.168.56.101"
OURS, OTHERS = f"https://{ENDPOINT}", "https://10.9.0.1:6443"


def joined(answer: str, running: bool = True) -> worker.State:
    return worker.State(True, answer, running, server=OURS)


@pytest.mark.parametrize(
    ("seen", "action"),
    [
        (worker.State(False, "unknown", False), "join"),
        (worker.State(False, "unknown", True, leftovers=True), "reset"),
        (joined("unknown", running=False), "reset"),
        (joined("unknown"), "reset"),
        (joined("registered", running=False), "start"),
        (joined("registered"), "nothing"),
    ],
)
def test_what_is_to_be_done(seen: worker.State, action: str) -> None:
    assert worker.decide(seen, ENDPOINT, ADDRESS).action == action


def test_a_worker_whose_api_is_silent_is_left_alone() -> None:
    with pytest.raises(worker.Silent, match=f"at {OURS} doesn't answer .* nothing was changed"):
        worker.decide(joined("unreachable"), ENDPOINT, ADDRESS)


@pytest.mark.parametrize("answer", ["registered", "unknown", "unreachable", "unasked"])
def test_a_machine_of_another_cluster_is_left_alone(answer: str) -> None:
    """Also where that one has a node of the same name."""
    seen = replace(joined(answer), server=OTHERS)
    said = f"belongs to the cluster at {OTHERS}, expected {OURS} or none, so nothing was changed"
    with pytest.raises(KubeadmError, match=said):
        worker.decide(seen, ENDPOINT, ADDRESS)


@pytest.mark.parametrize(
    "seen", [worker.State(False, "unknown", False, leftovers=True), joined("unknown")]
)
def test_a_control_plane_is_never_reset(seen: worker.State) -> None:
    seen = replace(seen, control_plane="/var/lib/etcd/member")
    with pytest.raises(KubeadmError, match="/var/lib/etcd/member: this machine is a control plane"):
        worker.decide(seen, ENDPOINT, ADDRESS)


def node(*addresses: str) -> dict[str, Any]:
    hostname = {"type": "Hostname", "address": "worker-1"}
    internal = [{"type": "InternalIP", "address": address} for address in addresses]
    return {"metadata": {"name": "worker-1"}, "status": {"addresses": [*internal, hostname]}}


@pytest.mark.parametrize("running", [True, False])
def test_another_address_of_a_node_is_refused(running: bool) -> None:
    seen = replace(joined("registered", running), node=node("10.0.2.15"))
    said = f"worker-1: joined with the address 10.0.2.15, expected {ADDRESS}.* `kubeadm reset`"
    with pytest.raises(KubeadmError, match=said):
        worker.decide(seen, ENDPOINT, ADDRESS)


@pytest.mark.parametrize("addresses", [(), (ADDRESS,), ("fd00::1", ADDRESS)])
def test_its_own_address_or_none_yet_is_fine(addresses: tuple[str, ...]) -> None:
    seen = replace(joined("registered"), node=node(*addresses))
    assert worker.decide(seen, ENDPOINT, ADDRESS).action == "nothing"


def test_where_a_machine_belongs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kubeconfig, member = tmp_path / "kubelet.conf", tmp_path / "member"
    monkeypatch.setattr(membership, "KUBELET_CONF", str(kubeconfig))
    monkeypatch.setattr(membership, "OF_CONTROL_PLANES", (str(tmp_path / "none"), str(member)))
    assert (membership.server(), membership.control_plane()) == ("", "")
    member.mkdir()
    kubeconfig.write_text(f"clusters:\n- cluster:\n    server: {OTHERS}\n  name: kubernetes\n")
    assert (membership.server(), membership.control_plane()) == (OTHERS, str(member))
    kubeconfig.write_text("")
    assert membership.server() == "no address"


def test_another_cluster_is_not_even_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither is there need of kubectl, which a check run doesn't find on such a machine."""
    kubeconfig = tmp_path / "kubelet.conf"
    kubeconfig.write_text(f"    server: {OTHERS}\n")
    monkeypatch.setattr(membership, "KUBELET_CONF", str(kubeconfig))
    monkeypatch.setattr(worker, "kubectl", None)
    seen = worker.look("worker-1", ENDPOINT)
    with pytest.raises(KubeadmError, match=f"belongs to the cluster at {OTHERS}"):
        worker.decide(seen, ENDPOINT, ADDRESS)


@pytest.mark.parametrize(
    ("code", "error", "answer"),
    [
        (0, "", "registered"),
        (1, 'Error from server (NotFound): nodes "worker-1" not found', "unknown"),
        (1, "error: You must be logged in to the server (Unauthorized)", "unknown"),
        (1, 'Error from server (Forbidden): nodes "worker-1" is forbidden', "unknown"),
        (1, "Unable to connect to the server: dial tcp: connect: no route to host", "unreachable"),
        (1, "error: context deadline exceeded", "unreachable"),
        (1, "x509: certificate signed by unknown authority", "unknown"),
        (1, "x509: certificate has expired or is not yet valid", "unreachable"),
    ],
)
def test_answer_of(code: int, error: str, answer: str) -> None:
    assert worker.answer_of(code, error) == answer
