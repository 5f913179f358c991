# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tests of the host's part share."""

from __future__ import annotations

from pathlib import Path

import pytest

from host import docker_cli, holders
from host.cluster_settings import Paths
from tests.unit.host.helpers import FakeDocker

HOST = {
    "kernel.keys.root_maxbytes": "20000",
    "kernel.keys.root_maxkeys": "200",
    "kernel.panic": "0",
    "kernel.panic_on_oops": "1",
    "vm.overcommit_memory": "2",
    "vm.panic_on_oom": "1",
    "fs.inotify.max_user_instances": "128",
    "fs.inotify.max_user_watches": "8192",
}


@pytest.fixture
def fake_docker(monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    """On a machine on which nobody listens, and without a network of its own."""
    fake = FakeDocker()
    monkeypatch.setattr(holders, "_routes", lambda: [])
    monkeypatch.setattr(holders, "_is_taken", lambda port: False)
    for kind in fake.items:
        monkeypatch.setattr(
            docker_cli, f"{kind}s", lambda *labels, kind=kind: fake.find(kind, *labels)
        )
    monkeypatch.setattr(
        docker_cli,
        "network",
        lambda name: next((each for each in fake.items["network"] if each["Name"] == name), None),
    )
    monkeypatch.setattr(docker_cli, "docker", fake.run)
    monkeypatch.setattr("host.network.docker", fake.run)
    return fake


@pytest.fixture(autouse=True)
def kernel(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Kernel settings of a host that has no nodes yet; the real ones are out of reach."""
    proc = tmp_path_factory.mktemp("proc")
    for name, value in HOST.items():
        path = proc / name.replace(".", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    (proc / "net" / "bridge").mkdir(parents=True)
    (proc / "net" / "bridge" / "bridge-nf-call-iptables").write_text("1\n")
    monkeypatch.setattr("host.kernel_settings.PROC", proc)
    return proc


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path, "lab")
