# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Others that still send blobs to this machine: a transfer goes on when the run that began it is
killed."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError

PATIENCE_SECONDS = 120.0


def wait_for_writers(staging: Path) -> None:
    """Return when nobody unpacks blobs there any more."""
    until = time.monotonic() + PATIENCE_SECONDS
    while found := writers(staging):
        if time.monotonic() > until:
            raise StateError(
                f"another run has been sending blobs to this machine for more than "
                f"{PATIENCE_SECONDS:g} s (process {found[0]} unpacks them in {staging}): wait for "
                "it or end it, and run the same again"
            )
        time.sleep(0.2)  # they are nobody's children here


def writers(staging: Path) -> list[int]:
    """The processes that unpack blobs there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # processes end while they are counted
            program, *words = path.read_text(errors="replace").split("\0")
            if Path(program).name == "tar" and str(staging) in words:
                found.append(int(path.parent.name))
    return found
