# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    flush,
    temporary,
)

CHUNK = 1 << 20
# A change within one tick of the file system's clock leaves the times of a file as they were.
# What somebody else changed that recently is therefore not remembered, but read once more.
TICK_NS = 20_000_000


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as source:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class DigestCache:
    """Remembers files' digests for as long as nothing about the files has changed.

    Size, inode and both times are compared; the change time can't be set back by whoever
    alters a file, so an altered file is read again. So is every file after a start of the machine,
    which may have lost what was written last: files needn't be flushed to the disk one by one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._changed = False
        self._known: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(known, dict):
                self._known = known

    def digest(self, file: Path) -> str:
        """The sha256 of a file, read only where it isn't known yet."""
        found = file.stat()
        entry = self._known.get(str(file))
        if isinstance(entry, dict) and entry == {**_seen(found), "sha256": entry.get("sha256")}:
            return str(entry["sha256"])
        sha256 = sha256_of(file)
        settled = found.st_ctime_ns + TICK_NS < time.time_ns()
        if settled and _seen(file.stat()) == _seen(found):
            self.record(file, sha256)
        return sha256

    def record(self, file: Path, sha256: str) -> None:
        """Note the digest of a file that was just read, or put in place by ourselves."""
        with self._lock:
            self._known[str(file)] = {**_seen(file.stat()), "sha256": sha256}
            self._changed = True

    def save(self) -> None:
        with self._lock:
            if not self._changed:
                return
            self._known = {
                name: entry for name, entry in self._known.items() if Path(name).exists()
            }
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = temporary(self.path)
            with new.open("w", encoding="utf-8") as target:
                json.dump(self._known, target, indent=0, sort_keys=True)
                flush(target)
            new.replace(self.path)
            self._changed = False


def _boot() -> str:
    """Another one after each start of the machine; of containers, of what carries them."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _seen(found: os.stat_result) -> dict[str, Any]:
    times = [found.st_mtime_ns, found.st_ctime_ns]
    return {"stat": [found.st_size, found.st_ino, *times], "boot": _boot()}
