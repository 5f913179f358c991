# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    Rights,
)

HIDDEN = "(secret, not shown)\n"
HIDDEN_NEW = "(secret with new content, not shown)\n"


@dataclass(frozen=True)
class PathLook:
    """What lies at a path: kind is missing, file, directory, link or other."""

    kind: str
    found: os.stat_result | None = None
    content: bytes | None = None
    target: str | None = None


def look(path: Path, content: bool = False) -> PathLook:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return PathLook("missing")
    if stat.S_ISLNK(found.st_mode):
        return PathLook("link", found, target=str(path.readlink()))
    if stat.S_ISDIR(found.st_mode):
        return PathLook("directory", found)
    if stat.S_ISREG(found.st_mode):
        return PathLook("file", found, path.read_bytes() if content else None)
    return PathLook("other", found)


def shown(content: bytes | None, secret: bool = False) -> str:
    """A file's content as a diff may show it."""
    if content is None:
        return ""
    if secret:
        return HIDDEN
    try:
        return content.decode()
    except UnicodeDecodeError:
        return "(not text)\n"


def listing(seen: PathLook) -> str:
    found = seen.found
    if found is None:
        return ""
    return f"mode {stat.S_IMODE(found.st_mode):04o} owner {found.st_uid} group {found.st_gid}\n"


def promised(wanted: Rights) -> str:
    owner = "" if wanted.uid is None else f" owner {wanted.uid}"
    group = "" if wanted.gid is None else f" group {wanted.gid}"
    return f"mode {wanted.mode:04o}{owner}{group}\n"
