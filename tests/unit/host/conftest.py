# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tests of the host's part share."""

from __future__ import annotations

from pathlib import Path

import pytest

from host import docker_cli
from host.cluster_settings import Paths
from tests.unit.host.helpers import FakeDocker


@pytest.fixture
def fake_docker(monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    fake = FakeDocker()
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
    monkeypatch.setattr("host.nodes.docker", fake.run)
    return fake


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path, "lab")
