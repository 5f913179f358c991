# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A machine that has no control plane yet, and gets none as long as something is wrong.

What the role made there before is taken away first, and it makes it anew in the end.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import faults

MANIFESTS = "/etc/kubernetes/manifests"
RESET = "kubeadm reset --force --cri-socket unix:///run/containerd/containerd.sock"


@pytest.fixture(scope="module")
def control(machine: Callable[[str], Any]) -> Any:
    return machine("control")


@pytest.fixture(scope="module", autouse=True)
def _bare(control: Any) -> None:
    control.run_expect([0], RESET)


@pytest.fixture(autouse=True)
def _nothing_is_started(request: pytest.FixtureRequest, control: Any) -> Iterator[None]:
    """No case leaves a half of a control plane."""
    yield
    if "recovers" not in request.fixturenames:
        assert control.check_output(f"find {MANIFESTS} /var/lib/etcd -mindepth 1") == ""
        assert not control.file("/etc/kubernetes/admin.conf").exists
        assert control.run("pgrep -x 'kubelet|etcd|kube-apiserver'").stdout == ""


# -- The machine ----------------------------------------------------------------------------


def test_the_port_of_the_api_is_taken(refused: Any, control: Any) -> None:
    with faults.port_taken(control, 6443):
        said = refused()
    assert "kubeadm init --config=/dev/stdin --skip-token-print` ended with 1" in said
    assert "[ERROR Port-6443]: Port 6443 is in use" in said
    assert re.search(r"port 6443: found held by python3[.\d]* \(process \d+\), expected free", said)


def test_two_ports_are_taken(refused: Any, control: Any) -> None:
    """Both are told at once."""
    with faults.port_taken(control, 2379), faults.port_taken(control, 10250):
        said = refused()
    assert "Port 2379 is in use" in said
    assert "Port 10250 is in use" in said


def test_an_address_that_the_machine_does_not_have(refused: Any, addresses: dict[str, str]) -> None:
    absent = addresses["control"].rpartition(".")[0] + ".77"
    said = refused(control_plane_node_ip=absent)
    assert f"node IP {absent}: found on no interface of this machine" in said
    assert "expected its private address; correct the inventory or the machine's network" in said


def test_containerd_does_not_run(refused: Any, control: Any) -> None:
    with faults.stopped(control, "containerd"):
        said = refused()
    assert "containerd.sock" in said
    assert "systemctl status containerd" in said


# -- Images ---------------------------------------------------------------------------------


def test_an_image_that_the_registry_lacks(refused: Any, bundle: dict[str, Any]) -> None:
    wrong = copy.deepcopy(bundle)
    wrong["etcd"]["name"] = "registry.k8s.io/etcd:9.9.9"
    said = refused(control_plane_bundle=wrong)
    assert "failed to pull image" in said
    assert "registry.k8s.io/etcd:9.9.9: not found" in said
    assert "`make bundle`" in said


def test_an_image_that_is_not_what_the_lock_says(refused: Any, bundle: dict[str, Any]) -> None:
    wrong, digest = copy.deepcopy(bundle), f"sha256:{'0' * 64}"
    wrong["coredns"]["digest"] = digest
    said = refused(control_plane_bundle=wrong)
    assert "images that are not what the bundle's lock says, so nothing was started;" in said
    name = bundle["coredns"]["name"]
    assert f"{name}: expected {digest}, found {bundle['coredns']['digest']}" in said
    assert "playbooks/registry.yml" in said


def test_the_registry_does_not_answer(refused: Any, control: Any, bundle: dict[str, Any]) -> None:
    """Whichever image of the missing ones is asked for first."""
    control.run_expect([0], f"ctr --namespace k8s.io images rm {bundle['coredns']['name']}")
    with faults.stopped(control, "roost-registry"):
        said = refused()
    assert re.search(r'failed to pull image "registry.k8s.io/\S+"', said)
    assert "connect: connection refused" in said
    assert "`systemctl status roost-registry`" in said


# -- Options --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"control_plane_pod_cidr": "10.96.0.0/16"},
            "control_plane_pod_cidr: found 10.96.0.0/16, which overlaps control_plane_service_cidr "
            "10.96.0.0/12, expected ranges apart from each other; change one of the two",
        ),
        (
            {"control_plane_service_cidr": "10.96.0.0/33", "control_plane_endpoint": "control"},
            "control_plane_service_cidr: found '10.96.0.0/33', expected an IPv4 network",
        ),
        (
            {"control_plane_service_cidr": "10.96.0.0/33", "control_plane_endpoint": "control"},
            "control_plane_endpoint: found 'control', expected the API's address and port",
        ),
        (
            {"control_plane_cluster_configuration": {"networkin": {}}},
            'strict decoding error: unknown field "networkin"',
        ),
        (
            {"control_plane_extra_sans": ["not a name"]},
            'apiServer.certSANs: Invalid value: "not a name"',
        ),
        (
            {"control_plane_extra_sans": {"one": 1}},
            "argument 'control_plane_extra_sans' is of type dict",
        ),
    ],
)
def test_a_wrong_option_is_named(refused: Any, options: dict[str, Any], said: str) -> None:
    assert said in refused(**options)


# -- Afterwards -----------------------------------------------------------------------------


def test_it_runs_once_all_is_well(recovers: Any, request: pytest.FixtureRequest) -> None:
    recovers()
    api = request.getfixturevalue("api")  # not before there is its kubeconfig
    assert [node.metadata.name for node in api.list_node().items] == ["control"]


def test_a_kubeconfig_that_cannot_be_written(converge: Any, recovers: Any, setting: Any) -> None:
    """What runs in the cluster isn't touched by that."""
    place = setting("directory") + "/settings.yml/kubeconfig"
    ran = converge("--extra-vars", json.dumps({"control_plane_kubeconfig": place}))
    assert ran.code != 0
    assert f"{place}: the kubeconfig can't be kept there: " in ran.said
    assert ran.changed == 0
    recovers()
