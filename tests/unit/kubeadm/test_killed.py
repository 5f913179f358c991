# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run that is killed leaves: its lock, a file that it was changing, half of a reset."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import (
    commands,
    kubelet,
    reset,
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


# -- A reset --------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, ...]]]:
    """etcd's directory with data, and what kubeadm and systemctl were called with."""
    data = tmp_path / "etcd"
    (data / "member" / "snap").mkdir(parents=True)
    (data / "member" / "snap" / "db").write_text("objects")
    monkeypatch.setattr(reset, "ETCD_DATA", data)
    monkeypatch.setattr(reset, "COPIES", tmp_path / "roost")
    monkeypatch.setattr(reset, "BEGUN", tmp_path / "roost" / "reset-begun")
    monkeypatch.setattr(trial, "KEPT", tmp_path / "before")
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(reset, "kubeadm", lambda *words: calls.append(words))
    monkeypatch.setattr(reset, "must", calls.append)
    # Sees the directory, as every process on this machine does, and is called like etcd.
    etcd = tmp_path / "bin" / "etcd"
    etcd.parent.mkdir()
    shutil.copy("/bin/sleep", etcd)
    process = subprocess.Popen([str(etcd), "600"])
    # Popen returns a moment before the kernel gives the process the program's name.
    name, until = Path(f"/proc/{process.pid}/comm"), time.monotonic() + 30
    while name.read_text() != "etcd\n":
        assert time.monotonic() < until
        time.sleep(0.01)
    yield calls
    process.kill()
    assert process.wait() == -signal.SIGTERM, "it was ended in order"


def copies(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "roost").glob("etcd-*"))


def test_etcd_is_ended_and_copied_before_a_reset(machine: Any, tmp_path: Path) -> None:
    reset.reset()
    assert [words[0] for words in machine] == ["systemctl", "reset"]
    [copy] = copies(tmp_path)
    assert (copy / "member" / "snap" / "db").read_text() == "objects"
    assert list((tmp_path / "etcd").iterdir()) == []
    assert not reset.begun()


def test_a_reset_that_was_killed_is_taken_up_and_copies_nothing_again(
    machine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_words: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reset, "kubeadm", killed)
        with pytest.raises(KeyboardInterrupt):
            reset.reset()
    assert reset.begun()
    before = copies(tmp_path)
    assert len(before) == 1
    reset.reset()
    assert copies(tmp_path) == before
    assert not reset.begun()


def test_half_a_copy_of_an_earlier_run_goes(machine: Any, tmp_path: Path) -> None:
    half = tmp_path / "roost" / "etcd-20260101T000000.unfinished"
    half.mkdir(parents=True)
    (half / "db").write_text("half")
    reset.reset()
    [copy] = copies(tmp_path)
    assert (copy / "member").is_dir()


@pytest.fixture
def idle(machine: Any) -> Iterator[Any]:
    """The same, with an etcd that a test ends where the reset doesn't get that far."""
    yield machine
    for process in reset.processes("etcd", reset.ETCD_DATA):
        os.kill(process, signal.SIGTERM)


def test_a_copy_that_has_no_room_is_not_begun(
    idle: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=3)
    monkeypatch.setattr(reset.shutil, "disk_usage", lambda _path: full)
    with pytest.raises(commands.KubeadmError, match="found 0 MiB free, expected 1 MiB for a copy"):
        reset.reset()
    assert idle == [], "nothing was stopped for it"
    assert copies(tmp_path) == []


def test_a_copy_that_fails_is_told(machine: Any, tmp_path: Path) -> None:
    """The reason alone, of all that the copying says."""
    os.mkfifo(reset.ETCD_DATA / "member" / "pipe")
    said = (
        r"expected a copy of \S+etcd, which can't be made, so nothing was reset: `\S+` is a named"
    )
    with pytest.raises(commands.KubeadmError, match=said):
        reset.reset()
    assert [words[0] for words in machine] == ["systemctl"]
    assert not reset.begun()


def test_what_cannot_be_removed_is_named(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(path: Path) -> None:
        raise OSError(16, "Device or resource busy", str(path))

    (reset.ETCD_DATA / "note").write_text("a file, not a directory")
    with monkeypatch.context() as patch:
        patch.setattr(reset.shutil, "rmtree", busy)
        with pytest.raises(commands.KubeadmError, match="member: expected to be removed, and it c"):
            reset.reset()
    assert reset.begun(), "the next run takes it up"
    reset.reset()
    assert list(reset.ETCD_DATA.iterdir()) == []
