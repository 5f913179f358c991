# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A network whose pods don't come up: what the cluster says of the reason is in the message."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests import faults
from tests.command import Ran

SOON = 25


def applied(converge: Any, **options: Any) -> Ran:
    """The role with an option that only shows once it is applied."""
    return converge("--extra-vars", json.dumps({"pod_network_timeout": SOON, **options}))  # type: ignore[no-any-return]  # the fixture's


def test_an_image_that_the_registry_lacks(converge: Any, recovers: Any) -> None:
    """The pod is named, and why it has no image, in the registry's words."""
    ran = applied(converge, pod_network_image="ghcr.io/flannel-io/flannel:v9.9.9")
    assert ran.code != 0
    assert f"after {SOON} s this is still missing:" in ran.said
    assert re.search(r"flannel: \d of 3 pods are made from the latest template", ran.said)
    assert re.search(
        r"pod flannel-\w+, container flannel: (ErrImagePull|ImagePullBackOff): ", ran.said
    )
    assert "ghcr.io/flannel-io/flannel:v9.9.9: not found" in ran.said
    recovers()


def test_a_network_that_is_not_the_clusters(refused: Any) -> None:
    """flannel itself would wait for ever and seem to be well."""
    said = refused(pod_network_cidr="10.200.0.0/16")
    assert (
        "the pod network: found 10.200.0.0/16, expected one with the parts that nodes have" in said
    )
    assert re.search(r"10\.244\.\d\.0/24 of worker-2", said)


def test_a_node_that_there_is_none_of(converge: Any) -> None:
    ran = applied(converge, pod_network_nodes=["control", "worker-1", "worker-9"])
    assert ran.code != 0
    assert f"after {SOON} s this is still missing: - node worker-9 has not registered" in ran.said
    assert ran.changed == 0


def test_a_node_whose_kubelet_does_not_run(
    converge: Any, recovers: Any, machine: Callable[[str], Any]
) -> None:
    with faults.stopped(machine("worker-2"), "kubelet"):
        # Kubernetes takes 40 s and more until it doubts a node.
        ran = applied(converge, pod_network_timeout=1, pod_network_nodes=["worker-2"])
        assert ran.code == 0
    recovers()


def test_the_api_does_not_answer(refused: Any, setting: Any, addresses: dict[str, str]) -> None:
    with faults.api_refused(addresses):
        said = refused()
    assert f"the API server of {setting('kubeconfig')} doesn't answer: found" in said
    assert "Connection refused" in said
    assert "Look whether the control plane runs and this machine reaches it, and run" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"pod_network_backend": "wireless"},
            "pod_network_backend must be one of: vxlan, host-gw, got: wireless",
        ),
        ({"pod_network_kubeconfig": "/nowhere"}, "there is no kubeconfig at /nowhere: run playboo"),
        ({"pod_network_timeout": "long"}, "argument 'pod_network_timeout' is of type str"),
    ],
)
def test_a_wrong_option_is_named(refused: Any, options: dict[str, Any], said: str) -> None:
    assert said in refused(**options)


def test_nothing_is_left_to_do_without_all_this(recovers: Any) -> None:
    recovers()
