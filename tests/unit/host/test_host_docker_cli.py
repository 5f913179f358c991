# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is made of a Docker that doesn't answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host import cluster_settings, docker_cli, holders, settings

SOCKET = "unix:///var/run/docker.sock"
STOPPED = {
    "until-28": f"Cannot connect to the Docker daemon at {SOCKET}. Is the docker daemon running?",
    "since-29": f"failed to connect to the docker API at {SOCKET}; check if the path is correct "
    "and if the daemon is running: dial unix /var/run/docker.sock: connect: no such file",
}
DENIED = {
    "20": f"Got permission denied while trying to connect to the Docker daemon socket at {SOCKET}: "
    'Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.24/version": dial unix /var/run/docker.sock: '
    "connect: permission denied",
    "28": f"permission denied while trying to connect to the Docker daemon socket at {SOCKET}: Get",
    "29": f"permission denied while trying to connect to the docker API at {SOCKET}",
}
Says = Callable[[str], None]


@pytest.fixture
def docker_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Says:
    """Makes a Docker that only fails; nothing else of the machine counts."""
    monkeypatch.setattr(holders, "_routes", lambda: [])
    monkeypatch.setattr(holders, "_is_taken", lambda port: False)
    for variable in cluster_settings.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)

    def says(text: str) -> None:
        program = tmp_path / "bin" / "docker"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{text}\nEND\nexit 1\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    return says


@pytest.mark.parametrize("text", STOPPED.values(), ids=STOPPED)
def test_a_daemon_that_does_not_run_is_as_good_as_none(
    tmp_path: Path, docker_says: Says, text: str
) -> None:
    docker_says(text)
    with pytest.raises(docker_cli.DockerAbsent, match="`make setup` starts it"):
        docker_cli.docker("version")
    assert settings.main(["record"], tmp_path) == 0


@pytest.mark.parametrize("text", DENIED.values(), ids=DENIED)
def test_who_may_not_ask_the_daemon_is_told_what_to_do(
    tmp_path: Path, docker_says: Says, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    docker_says(text)
    assert settings.main(["record"], tmp_path) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("settings: docker: this user may not ask the daemon; join its group")
    assert not (tmp_path / ".roost").exists()


def test_another_failure_is_told_in_dockers_words(
    tmp_path: Path, docker_says: Says, capsys: pytest.CaptureFixture[str]
) -> None:
    docker_says("Error response from daemon: disk quota exceeded")
    assert settings.main(["record"], tmp_path) == 1
    assert capsys.readouterr().err == (
        "settings: `docker ps --all --quiet …` failed: Error response from daemon: disk quota "
        "exceeded\n"
    )


@pytest.mark.parametrize("provider", ["virtualbox", "libvirt"])
def test_virtual_machines_need_no_docker(
    tmp_path: Path, docker_says: Says, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    docker_says(DENIED["29"])
    monkeypatch.setenv("PROVIDER", provider)
    assert settings.main(["record"], tmp_path) == 0
    recorded = cluster_settings.recorded(cluster_settings.Paths(tmp_path, "roost"))
    assert recorded == cluster_settings.Settings(provider=provider)
