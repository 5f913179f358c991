# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A `kubeadm init` that was killed half-way: gone on with, begun again, or left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import faults

PHASES = (
    "certs",
    "kubeconfig",
    "etcd",
    "control-plane",
    "kubelet-start",
    "wait-control-plane",
    "upload-config",
    "upload-certs",
    "mark-control-plane",
    "bootstrap-token",
    "kubelet-finalize",
    "addon",
    "show-join-command",
)
# Killed after a phase, as if it was by accident: it leaves out the later ones, and our module is
# killed as well.
KILLED = """
[ "$1 $2" = "init --config=/dev/stdin" ] || exec $kubeadm "$@"
$kubeadm "$@" --skip-phases={later}
kill -KILL $PPID
"""
RESET_KILLED = """
[ "$1" = reset ] || exec $kubeadm "$@"
systemctl stop kubelet
rm /etc/kubernetes/manifests/*
kill -KILL $PPID
"""
RESET = "kubeadm reset --force --cri-socket unix:///run/containerd/containerd.sock"
LEFT_BY_RESETS = "/var/lib/roost/etcd-* /var/lib/roost/reset-begun /var/lib/roost/before"
AUTHORITY = "sha256sum /etc/kubernetes/pki/ca.crt"

ASK = "kubectl --kubeconfig=/etc/kubernetes/admin.conf --request-timeout=5s"


@pytest.fixture(scope="module")
def control(machine: Callable[[str], Any]) -> Any:
    return machine("control")


@pytest.fixture
def bare(control: Any) -> Any:
    """The machine without a control plane, and without copies of former ones."""
    control.run_expect([0], RESET)
    control.run_expect([0], f"rm -rf /var/lib/etcd/* {LEFT_BY_RESETS}")
    return control


@pytest.fixture
def cluster(bare: Any, converge: Any) -> Iterator[Any]:
    """One that was made whole."""
    assert converge().code == 0
    yield bare


def killed_after(phase: str) -> str:
    later = PHASES[PHASES.index(phase) + 1 :]
    return KILLED.format(later=",".join(later))


def copies(control: Any) -> list[str]:
    found: str = control.check_output("ls /var/lib/roost | grep ^etcd- || true")
    return found.split()


@pytest.mark.parametrize(
    ("phase", "goes_on", "copied"),
    [
        # Nothing but files, of which kubeadm takes what is there.
        ("certs", True, False),
        # Before etcd held anything.
        ("kubeconfig", False, False),
        ("etcd", False, False),
        ("control-plane", False, False),
        # Before the administrator had any rights.
        ("kubelet-start", False, True),
        # Before the cluster was recorded.
        ("wait-control-plane", False, True),
        ("upload-config", True, False),
        ("mark-control-plane", True, False),
        ("bootstrap-token", True, False),
    ],
)
def test_it_was_killed_after_a_phase(
    bare: Any,
    converge: Any,
    recovers: Any,
    eventually: Any,
    phase: str,
    goes_on: bool,
    copied: bool,
) -> None:
    with faults.kubeadm_replaced(bare, killed_after(phase)):
        assert converge().code != 0
    before = bare.check_output(AUTHORITY)
    if phase == "kubelet-start":
        eventually(lambda: bare.run(f"{ASK} get --raw /readyz").stdout, "ok", 60)
        refused = bare.run(f"{ASK} get nodes")
        assert "(Forbidden)" in refused.stderr
    recovers()
    assert (bare.check_output(AUTHORITY) == before) == goes_on
    assert len(copies(bare)) == copied
    for copy in copies(bare):
        assert bare.file(f"/var/lib/roost/{copy}/member/snap/db").size > 0


@pytest.mark.parametrize(
    "lacks",
    [
        # The last ones: without its account kube-proxy would never run.
        "serviceaccount/kube-proxy rolebinding/kube-proxy clusterrolebinding/kubeadm:node-proxier",
        # In the middle of the name service.
        "service/kube-dns daemonset/kube-proxy",
    ],
)
def test_it_was_killed_before_these_objects(cluster: Any, recovers: Any, lacks: str) -> None:
    before = cluster.check_output(AUTHORITY)
    cluster.run_expect([0], f"{ASK} delete -n kube-system {lacks}")
    recovers()
    cluster.run_expect([0], f"{ASK} get -n kube-system {lacks}")
    assert cluster.check_output(AUTHORITY) == before


def test_a_reset_was_killed(bare: Any, converge: Any, recovers: Any) -> None:
    with faults.kubeadm_replaced(bare, killed_after("wait-control-plane")):
        assert converge().code != 0
    with faults.kubeadm_replaced(bare, RESET_KILLED):
        assert converge().code != 0
    assert bare.file("/var/lib/etcd/member").exists
    recovers()
    assert len(copies(bare)) == 1
    assert not bare.file("/var/lib/roost/reset-begun").exists


# -- What is never reset --------------------------------------------------------------------


def test_what_cannot_be_read_is_left_alone(
    cluster: Any, converge: Any, recovers: Any, eventually: Any
) -> None:
    before = cluster.check_output(AUTHORITY)
    cluster.run_expect([0], "mv /etc/kubernetes/manifests/etcd.yaml /root/")
    eventually(lambda: cluster.run("pgrep -x etcd").stdout, "", 60)
    ran = converge()
    assert ran.code != 0
    assert (
        "the API server doesn't answer within 90 s, and etcd's directory /var/lib/etcd holds"
        in (ran.said)
    )
    assert "etcd at 127.0.0.1:2379: found " in ran.said
    assert "so nothing was reset" in ran.said
    assert cluster.check_output(AUTHORITY) == before
    assert cluster.file("/var/lib/etcd/member/snap/db").size > 0
    cluster.run_expect([0], "mv /root/etcd.yaml /etc/kubernetes/manifests/")
    recovers()
    assert cluster.check_output(AUTHORITY) == before
    assert copies(cluster) == []


def test_a_cluster_whose_data_is_away_is_left_alone(
    cluster: Any, converge: Any, recovers: Any, eventually: Any
) -> None:
    """As where the disk with etcd's data isn't mounted, before etcd begins with nothing and after
    it has."""
    before = cluster.check_output(AUTHORITY)
    cluster.run_expect([0], "mv /etc/kubernetes/manifests/etcd.yaml /root/")
    eventually(lambda: cluster.run("pgrep -x etcd").stdout, "", 60)
    cluster.run_expect([0], "mv /var/lib/etcd/member /root/")
    refusal = "/var/lib/etcd: expected the data of the cluster that kubeadm init has finished"
    assert refusal in converge().said
    cluster.run_expect([0], "mv /root/etcd.yaml /etc/kubernetes/manifests/")
    eventually(lambda: cluster.file("/var/lib/etcd/member").exists, True, 90)
    # Whether the API comes up on nothing, and kubelet registers its node anew, is left to chance.
    assert "so nothing was reset" in converge().said
    assert cluster.check_output(AUTHORITY) == before
    assert copies(cluster) == []
    cluster.run_expect([0], "mv /etc/kubernetes/manifests/etcd.yaml /root/")
    eventually(lambda: cluster.run("pgrep -x etcd").stdout, "", 60)
    cluster.run_expect([0], "rm -r /var/lib/etcd/member && mv /root/member /var/lib/etcd/")
    cluster.run_expect([0], "mv /root/etcd.yaml /etc/kubernetes/manifests/")
    recovers()
    assert cluster.check_output(AUTHORITY) == before


def test_a_cluster_with_a_worker_is_left_alone(
    cluster: Any, converge: Any, eventually: Any
) -> None:
    """Neither by what the API says, nor by what etcd says where there is no API."""
    before = cluster.check_output(AUTHORITY)
    node = '{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker-9"}}'
    cluster.run_expect([0], f"echo %s | {ASK} create -f -", node)
    cluster.run_expect([0], f"{ASK} delete -n kube-system configmap kubeadm-config")
    refusal = "ConfigMap/kubeadm-config: expected in kube-system, where kubeadm init leaves it, and"
    said = converge().said
    assert refusal in said
    assert "worker-9 belong to the cluster, so nothing was reset" in said
    cluster.run_expect([0], "mv /etc/kubernetes/manifests/kube-apiserver.yaml /root/")
    eventually(lambda: cluster.run("pgrep -x kube-apiserver").stdout, "", 60)
    said = converge().said
    assert refusal in said
    assert "worker-9 belong to the cluster, so nothing was reset" in said
    assert cluster.check_output(AUTHORITY) == before
    assert copies(cluster) == []


def test_it_runs_after_all_this(bare: Any, recovers: Any) -> None:
    recovers()
