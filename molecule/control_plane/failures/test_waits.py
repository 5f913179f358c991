# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a control plane waits for never comes: the message names the cause, and what shows it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host.docker_cli import docker
from tests import faults

RESET = "kubeadm reset --force --cri-socket unix:///run/containerd/containerd.sock"
SOON = {
    "timeouts": {"controlPlaneComponentHealthCheck": "30s", "kubernetesAPICall": "30s"},
}


@pytest.fixture
def control(machine: Callable[[str], Any]) -> Any:
    """The machine without a control plane."""
    control = machine("control")
    control.run_expect([0], RESET)
    return control


@pytest.fixture
def waited(converge: Any) -> Callable[[], str]:
    """Applies the role, which shall not wait long, and returns what is said."""

    def apply() -> str:
        ran = converge("-e", json.dumps({"control_plane_init_configuration": SOON}))
        assert ran.code != 0
        assert "error execution phase wait-control-plane" in ran.said
        said: str = ran.said
        return said

    return apply


def test_a_disk_is_full(control: Any, waited: Any, recovers: Any) -> None:
    with faults.small_disk(control, "/var/lib/etcd", "1m"):
        said = waited()
    assert re.search(
        r"probable cause: a disk is full: found \d of 1 MiB free at /var/lib/etcd;", said
    )
    assert re.search(
        r"it shows in /var/log/pods/kube-system_etcd-control_\S+\.log: .*no space left on device",
        said,
    )
    recovers()


def test_a_port_is_blocked(control: Any, waited: Any, recovers: Any) -> None:
    """That of etcd, on the machine itself."""
    with faults.packets_lost("control", "OUTPUT -p tcp --dport 2379"):
        said = waited()
    assert "probable cause: TCP port 2379 is blocked; look at this machine's firewall" in said
    assert re.search(r"it shows in that etcd \(process \d+\) listens there and a connection", said)
    recovers()


def test_a_clock_is_off(control: Any, waited: Any, recovers: Any, tmp_path: Path) -> None:
    """It was ahead when it made the authority's certificate, which is of the future now."""
    certificate = ("ca.crt", "ca.key")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365"),
            *(
                "-subj",
                "/CN=kubernetes",
                "-addext",
                "keyUsage=critical,keyCertSign,digitalSignature",
            ),
            *("-out", certificate[0], "-keyout", certificate[1]),
        ],
        cwd=tmp_path,
        env={**os.environ, **faults.clock_of_process("+2h")},
        check=True,
        capture_output=True,
    )
    control.run_expect([0], "mkdir -p /etc/kubernetes/pki")
    for name in certificate:
        docker("cp", str(tmp_path / name), f"{faults.container('control')}:/etc/kubernetes/pki/")
    said = waited()
    assert re.search(
        r"probable cause: a clock is off, .* is not yet valid: current time \S+ is", said
    )
    assert re.search(r"It is \S+ \S+ UTC here: set both clocks right", said)
    assert "it shows in `journalctl -u kubelet`: " in said
    recovers()


def test_a_node_ip_is_wrong(control: Any, refused: Any, recovers: Any) -> None:
    """kubelet would only write it in its journal."""
    wrong = {"kubeletExtraArgs": [{"name": "node-ip", "value": "192.168.57.77"}]}
    said = refused(control_plane_init_configuration={"nodeRegistration": wrong})
    assert "node IP 192.168.57.77: found on no interface of this machine" in said
    recovers()
