# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps what a file held until something runs with what it holds now.

On disk, so that a run which was killed meanwhile leaves the next one what to put back.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.node.core import Node
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import Rights, atomic_write

# A file's content is kept under its own path below this folder.
KEPT = Path("/var/lib/roost/before")


def begin(path: Path) -> None:
    """Keep what the file holds, if there is one."""
    if path.exists():
        atomic_write(Node(), _kept(path), path.read_bytes(), Rights(0o600, None, None))


def passed(path: Path) -> None:
    """What it holds now is what it shall hold."""
    _kept(path).unlink(missing_ok=True)


def unfinished() -> list[Path]:
    """Files of which nobody has seen whether something runs with them."""
    return sorted(Path("/") / path.relative_to(KEPT) for path in KEPT.rglob("*") if path.is_file())


def differs(path: Path) -> bool:
    """Whether it holds something else than before. One that is gone was a former cluster's."""
    kept = _kept(path)
    return kept.exists() and path.exists() and kept.read_bytes() != path.read_bytes()


def put_back(path: Path, mode: int) -> bool:
    """Have the old content again; whether it was another.

    It stays kept until `passed`, for a run that is killed before something runs with it.
    """
    if not differs(path):
        return False
    atomic_write(Node(), path, _kept(path).read_bytes(), Rights(mode, None, None))
    return True


def forget_all() -> None:
    """Of a cluster that is given up, nothing is put back."""
    shutil.rmtree(KEPT, ignore_errors=True)


def _kept(path: Path) -> Path:
    return KEPT / path.relative_to("/")
