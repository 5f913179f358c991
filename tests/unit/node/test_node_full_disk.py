# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a write to a full disk says and leaves."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node import full_disk, writes
from ansible_collections.roost.cluster.plugins.module_utils.node.core import Node, StateError

RIGHTS = writes.Rights(0o644, None, None)


@pytest.mark.parametrize("before", [None, "old"])
def test_a_file_that_finds_no_room_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    path = tmp_path / "config"
    if before:
        path.write_text(before)

    def full(handle: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writes, "flush", full)
    with pytest.raises(StateError, match=r"config: the disk is full.* of \d+ MiB free at /"):
        writes.atomic_write(Node(), path, b"new", RIGHTS)
    assert [found.read_text() for found in tmp_path.iterdir()] == ([before] if before else [])


def test_another_error_is_not_taken_for_it(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), full_disk.room_for(tmp_path):
        raise PermissionError(errno.EACCES, "no", str(tmp_path))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "Full", "/absent/file"), r"^/absent/file: Full: found \d+ of"),
        (OSError(errno.ENOSPC, "Full"), r"^this machine: Full: found \d+ of \d+ MiB free at /,"),
        (OSError(errno.EACCES, "Permission denied", "/x"), "^/x: Permission denied$"),
    ],
)
def test_what_an_error_of_the_system_says(error: OSError, told: str) -> None:
    with pytest.raises(StateError, match=told):
        raise StateError(full_disk.failure(error))
