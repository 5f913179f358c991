# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run that is killed leaves: its lock, and the content of a file that it was changing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import (
    commands,
    kubelet,
    static_pods,
    trial,
    unproved,
)

# Has the lock, and is killed while its command runs.
RUN = """
import sys
from pathlib import Path
sys.path.insert(0, {repository!r})
import tests.conftest
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import commands
commands.LOCK = Path({lock!r})
with commands.exclusive():
    commands.run(["sh", "-c", "echo $$ > {lock}.pid; exec sleep 60"])
"""


def test_a_command_keeps_the_lock_of_a_killed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, pid = tmp_path / "lock", tmp_path / "lock.pid"
    script = RUN.format(repository=str(Path(__file__).resolve().parents[3]), lock=str(lock))
    process = subprocess.Popen([sys.executable, "-c", script])
    until = time.monotonic() + 30
    while not (pid.exists() and pid.read_text()):
        assert time.monotonic() < until
        time.sleep(0.02)
    process.kill()
    process.wait()
    monkeypatch.setattr(commands, "LOCK", lock)
    with (
        pytest.raises(commands.KubeadmError, match="another run holds it"),
        commands.exclusive(limit=0),
    ):
        pass
    os.kill(int(pid.read_text()), signal.SIGKILL)
    with commands.exclusive(limit=5):
        pass


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that ran with `old`, and has been given `new` by a run that was killed then."""
    monkeypatch.setattr(trial, "KEPT", tmp_path / "before")
    path = tmp_path / "kube-scheduler.yaml"
    path.write_text("old")
    trial.begin(path)
    path.write_text("new")
    return path


@pytest.fixture
def back(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was put back, in the place of that: it would wait for kubelet."""
    done: list[str] = []
    monkeypatch.setattr(static_pods, "put_back", done.append)
    monkeypatch.setattr(kubelet, "put_back", lambda: done.append("kubelet"))
    return done


def test_the_next_run_puts_the_old_content_back(file: Path, back: list[str]) -> None:
    assert unproved.take_back(check_mode=True)[0]["what"] == str(file)
    assert back == []
    assert [change["what"] for change in unproved.take_back(check_mode=False)] == [str(file)]
    assert back == ["kube-scheduler"]
    assert trial.put_back(file, 0o600)
    assert file.read_text() == "old"
    assert trial.unfinished() == [file], "until it is seen to run"
    trial.passed(file)
    assert unproved.take_back(check_mode=False) == []


def test_that_of_kubelet_too(file: Path, back: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unproved, "KUBELET_FILE", file)
    unproved.take_back(check_mode=False)
    assert back == ["kubelet"]


@pytest.mark.parametrize("content", ["old", None])
def test_what_was_not_changed_or_is_gone_is_forgotten(
    file: Path, back: list[str], content: str | None
) -> None:
    file.unlink()
    if content:
        file.write_text(content)
    assert unproved.take_back(check_mode=False) == []
    assert trial.unfinished() == []
    assert back == []


def test_a_change_that_has_passed_stays(file: Path, back: list[str]) -> None:
    trial.passed(file)
    assert unproved.take_back(check_mode=False) == []
    assert file.read_text() == "new"
