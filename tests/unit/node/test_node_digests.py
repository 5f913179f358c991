# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a file's digest is taken as known, and when the file is read again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node import digests

CONTENT = b"content"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that is read from here on."""
    found: list[Path] = []
    real: Callable[[Path], str] = digests.sha256_of

    def sha256_of(path: Path) -> str:
        found.append(path)
        return real(path)

    monkeypatch.setattr(digests, "sha256_of", sha256_of)
    return found


def noted(tmp_path: Path) -> Path:
    """A file whose digest was noted by an earlier run."""
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    cache = digests.DigestCache(tmp_path / "cache.json")
    cache.record(file, SHA256)
    cache.save()
    return file


def digest(file: Path) -> str:
    return digests.DigestCache(file.parent / "cache.json").digest(file)


def test_a_file_that_is_as_it_was_is_not_read(tmp_path: Path, reads: list[Path]) -> None:
    assert digest(noted(tmp_path)) == SHA256
    assert reads == []


def test_one_that_was_written_to_is(tmp_path: Path, reads: list[Path]) -> None:
    file = noted(tmp_path)
    file.write_bytes(b"CONTENT")
    assert digest(file) == hashlib.sha256(b"CONTENT").hexdigest()
    assert reads == [file]


def test_after_a_start_of_the_machine_every_file_is(
    tmp_path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss of power may have left size and times, and not the content."""
    file = noted(tmp_path)
    monkeypatch.setattr(digests, "_boot", lambda: "another")
    assert digest(file) == SHA256
    assert reads == [file]
