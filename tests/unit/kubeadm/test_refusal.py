# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is added to kubeadm's own words."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import (
    KubeadmError,
    must,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.refusal import advice


def test_a_port_that_is_taken_is_told_with_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = f"\t[ERROR Port-{port}]: Port {port} is in use\n"
        told = advice(said)
    assert f"port {port}: found held by python3" in told
    assert f"(process {os.getpid()}), expected free; stop what holds it" in told
    assert "found held by a process that has ended since" in advice(said)


@pytest.mark.parametrize(
    "said",
    [
        'failed to pull image "registry.k8s.io/etcd:9": output: …',
        "failed to pull image registry.k8s.io/etcd:9: not found",
    ],
)
def test_an_image_that_is_not_to_be_had(said: str, tmp_path: Path) -> None:
    told = advice(f"{said}\n{said}\n", tmp_path)
    assert told.startswith("\nregistry.k8s.io/etcd:9: expected in the bundle's registry, ")
    assert told.count("make bundle") == 1


def test_a_runtime_that_does_not_run(tmp_path: Path) -> None:
    said = "dial unix /run/containerd/containerd.sock: connect: no such file or directory"
    assert "`systemctl status containerd`" in advice(said, tmp_path)


def test_other_words_stand_by_themselves(tmp_path: Path) -> None:
    assert advice('unknown field "networkin"', tmp_path) == ""
    with pytest.raises(KubeadmError, match="^`sh -c echo no >&2; exit 3` ended with 3:\nno$"):
        must(["sh", "-c", "echo no >&2; exit 3"])
