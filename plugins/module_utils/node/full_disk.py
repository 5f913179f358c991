# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError

FULL = (errno.ENOSPC, errno.EDQUOT)
MIB = 1 << 20


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Says of a write that found the disk full where that was, and how much is free there.

    The write must have taken its unfinished file away: then that is what it has to do with.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise StateError(
            f"{path}: the disk is full, so nothing of it was written, and what was there is kept: "
            f"{_space(path)}"
        ) from None


def failure(error: OSError) -> str:
    """An error of the operating system, in words that a person can act on."""
    told = f"{error.filename or 'this machine'}: {error.strerror or error}"
    if error.errno in FULL:
        told += f": {_space(Path(error.filename or '/'))}"
    return told


def _space(path: Path) -> str:
    folder = path
    while not folder.is_dir():
        folder = folder.parent
    disk = shutil.disk_usage(folder)
    return (
        f"found {disk.free // MIB} of {disk.total // MIB} MiB free at {folder}, expected room for "
        "the whole file; free some space there, and run the same again"
    )
