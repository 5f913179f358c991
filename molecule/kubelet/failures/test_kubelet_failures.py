# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs that can't be had, and name servers that are none."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests import faults
from tests.command import REPOSITORY

KUBEADM = "/usr/local/bin/kubeadm"
REGISTRY = REPOSITORY / "playbooks" / "registry.yml"


def test_a_program_that_the_registry_lacks(
    converge: Any,
    playbook: Any,
    machine: Callable[[str], Any],
    bundle: dict[str, Any],
) -> None:
    """On the machine that needs it; the others have it, and go on."""
    worker = machine("worker-1")
    blob = f"{faults.STORE}/{faults.blob_path(bundle['kubeadm']['blob'])}"
    with faults.moved_away(worker, KUBEADM):
        machine("control").run_expect([0], f"rm {blob}")
        try:
            ran = converge()
            assert ran.code != 0
            assert f"{KUBEADM}: files/kubeadm (blob {bundle['kubeadm']['blob']})" in ran.said
            assert "answered 404 Not Found, expected the blob: playbooks/registry.yml" in ran.said
            assert ran.recap["worker-1"]["failed"] == 1
            assert ran.recap["control"]["failed"] == ran.recap["worker-2"]["failed"] == 0
            assert not worker.file(KUBEADM).exists
        finally:
            assert playbook(REGISTRY).code == 0
        assert converge().code == 0
        assert worker.file(KUBEADM).sha256sum == bundle["kubeadm"]["sha256"]


def test_a_program_that_is_not_what_the_lock_says(
    refused: Any, machine: Callable[[str], Any], bundle: dict[str, Any]
) -> None:
    """The one that was there stays."""
    wrong = copy.deepcopy(bundle)
    wrong["kubeadm"]["sha256"] = "0" * 64
    said = refused(kubelet_bundle=wrong)
    assert f"{KUBEADM}: files/kubeadm" in said
    assert f"the file in it is corrupt: expected sha256 {'0' * 64}, found " in said
    for name in ("control", "worker-1", "worker-2"):
        assert machine(name).file(KUBEADM).sha256sum == bundle["kubeadm"]["sha256"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1.1.1.1 2.2.2.2", "kubelet_nameservers: found '1.1.1.1 2.2.2.2', expected an IP address"),
        (["ns.example.org"], "kubelet_nameservers: found 'ns.example.org', expected an IP address"),
        (["127.0.0.53"], "kubelet_nameservers: found 127.0.0.53, expected one that pods can reach"),
        ({"first": "1.1.1.1"}, "argument 'kubelet_nameservers' is of type dict"),
    ],
)
def test_a_name_server_that_is_none(
    refused: Any, machine: Callable[[str], Any], value: Any, said: str
) -> None:
    before = machine("worker-1").file("/etc/roost/resolv.conf").content_string
    assert said in refused(kubelet_nameservers=value)
    assert machine("worker-1").file("/etc/roost/resolv.conf").content_string == before


def test_a_bundle_without_the_programs(refused: Any) -> None:
    said = refused(kubelet_bundle={})
    assert "bundle.lock: kubelet, kubeadm, kubectl: expected as a file and not found" in said
    assert "`make bundle` fills the bundle" in said


def test_a_machine_that_does_not_answer(converge: Any) -> None:
    with faults.unreachable("worker-2"):
        ran = converge()
    assert ran.recap["worker-2"]["unreachable"] == 1
    assert ran.recap["control"]["failed"] == ran.recap["worker-1"]["failed"] == 0


def test_nothing_is_left_to_do_without_all_this(recovers: Any) -> None:
    recovers()
