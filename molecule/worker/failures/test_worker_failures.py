# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A worker that can't join: it is told why, stays as it was, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import faults
from tests.command import Ran

RESET = "kubeadm reset --force --cri-socket unix:///run/containerd/containerd.sock"
TOKENS = {"namespace": "kube-system", "field_selector": "type=bootstrap.kubernetes.io/token"}


@pytest.fixture
def outside(machine: Callable[[str], Any], api: Any) -> Iterator[Any]:
    """worker-1 is no part of the cluster, and the cluster doesn't know it."""
    worker = machine("worker-1")
    if not untouched(worker):
        worker.run_expect([0], RESET)
        api.delete_node("worker-1")
    yield worker
    # Whatever has gone wrong, no token for a join is left.
    assert api.list_namespaced_secret(**TOKENS).items == []


def named(api: Any) -> set[str]:
    return {node.metadata.name for node in api.list_node().items}


def untouched(worker: Any) -> bool:
    places = ("/etc/kubernetes/kubelet.conf", "/etc/kubernetes/bootstrap-kubelet.conf")
    return not any(worker.file(path).exists for path in places)


def only_one_failed(ran: Ran) -> str:
    assert ran.code != 0
    assert ran.recap["worker-1"]["failed"] == 1
    assert ran.recap["worker-2"]["failed"] == 0
    assert ran.changed == 0
    return ran.said


# -- The way to the API ---------------------------------------------------------------------


def test_packets_to_the_api_are_lost(
    outside: Any, converge: Any, recovers: Any, api: Any, addresses: dict[str, str]
) -> None:
    with faults.packets_lost("worker-1", f"OUTPUT -d {addresses['control']} -p tcp --dport 6443"):
        said = only_one_failed(converge())
        assert untouched(outside)
    assert (
        f"the API server at {addresses['control']}:6443 can't be reached from this machine, so "
        "nothing was changed: found timed out; expected an answer on TCP port 6443. Look whether "
        "the endpoint is right, the control plane runs, and no firewall is between"
    ) in said
    assert "worker-1" not in named(api)
    recovers()
    assert named(api) == {"control", "worker-1", "worker-2"}


def test_nothing_is_left_to_do_without_all_this(recovers: Any) -> None:
    recovers()
