# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node import store_writers
from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError


@pytest.fixture
def tar(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One that unpacks what it is sent, as that of a killed run does."""
    words = ["tar", "-x", "-m", "-f", "-", "-C", str(tmp_path), "--no-same-owner"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 10
    while not store_writers.writers(tmp_path):
        assert time.monotonic() < until
        time.sleep(0.01)
    yield process
    process.kill()
    process.wait()


def test_it_is_waited_for(tar: subprocess.Popen[bytes], tmp_path: Path) -> None:
    waiting = threading.Thread(target=store_writers.wait_for_writers, args=[tmp_path])
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    tar.kill()
    tar.wait()
    waiting.join(5)
    assert not waiting.is_alive()


def test_one_that_takes_too_long_is_named(
    tar: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_writers, "PATIENCE_SECONDS", 0.1)
    with pytest.raises(StateError, match=rf"\(process {tar.pid} unpacks them in {tmp_path}\)"):
        store_writers.wait_for_writers(tmp_path)


def test_those_of_another_folder_are_none(tar: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert store_writers.writers(tmp_path / "other") == []
