# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

LISTEN = "0A"
_SOCKET = re.compile(r"^socket:\[(\d+)\]$")


@dataclass(frozen=True)
class Listener:
    """A TCP port that something listens on."""

    port: int
    process: str  # empty where it can't be seen from here
    pid: int


def listening(text: str) -> dict[str, int]:
    """Inode and port of each listening socket in the text of /proc/net/tcp or tcp6."""
    found = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTEN:
            found[fields[9]] = int(fields[1].rsplit(":", 1)[1], 16)
    return found


def listeners(proc: Path, ports: Collection[int]) -> list[Listener]:
    """Who listens on the given ports."""
    sockets: dict[str, int] = {}
    for name in ("tcp", "tcp6"):
        try:
            text = (proc / "net" / name).read_text(encoding="ascii")
        except OSError:
            continue
        sockets.update((inode, port) for inode, port in listening(text).items() if port in ports)
    if not sockets:
        return []
    owners = _owners(proc, set(sockets))
    told = {Listener(port, *owners.get(inode, ("", 0))) for inode, port in sockets.items()}
    return sorted(told, key=lambda listener: (listener.port, listener.pid))


def _owners(proc: Path, inodes: set[str]) -> dict[str, tuple[str, int]]:
    owners: dict[str, tuple[str, int]] = {}
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        for inode in inodes & _sockets(process):
            owners.setdefault(inode, (process_name(process), int(process.name)))
    return owners


def _sockets(process: Path) -> set[str]:
    found = set()
    try:
        for entry in os.scandir(process / "fd"):
            match = _SOCKET.match(os.readlink(entry.path))  # noqa: PTH115 - thousands of them
            if match:
                found.add(match.group(1))
    except OSError:  # the process has ended, or is not ours to look into
        pass
    return found


def process_name(process: Path) -> str:
    """The name of a process's executable; the kernel's own name for it is cut at 15 letters."""
    try:
        return (process / "exe").readlink().name.split(" ")[0]
    except OSError:
        pass
    try:
        return (process / "comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
