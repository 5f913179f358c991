# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import errno
import fcntl
import grp
import os
import pwd
import re
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    command_failure,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.full_disk import room_for

_OCTAL = re.compile(r"^0?[0-7]{3,4}$")


@dataclass(frozen=True)
class Rights:
    """Mode and owner that a path shall have; None leaves the owner as it is."""

    mode: int
    uid: int | None
    gid: int | None

    def differences(self, found: os.stat_result) -> list[str]:
        told = []
        if stat.S_IMODE(found.st_mode) != self.mode:
            told.append(f"mode {stat.S_IMODE(found.st_mode):04o} → {self.mode:04o}")
        if self.uid is not None and found.st_uid != self.uid:
            told.append(f"owner {_user(found.st_uid)} → {_user(self.uid)}")
        if self.gid is not None and found.st_gid != self.gid:
            told.append(f"group {_group(found.st_gid)} → {_group(self.gid)}")
        return told

    def give(self, path: Path) -> None:
        if self.uid is not None or self.gid is not None:
            keep = -1
            os.chown(
                path,
                keep if self.uid is None else self.uid,
                keep if self.gid is None else self.gid,
            )
        path.chmod(self.mode)  # after chown, which clears set-user-ID bits


def rights(item: dict[str, Any], default_mode: int) -> Rights:
    return Rights(
        parse_mode(item.get("mode"), default_mode, item["path"]),
        user_id(item.get("owner"), item["path"]),
        group_id(item.get("group"), item["path"]),
    )


def parse_mode(value: Any, default: int, what: str) -> int:
    """A mode written as "0644"; a bare YAML 0644 has arrived as the number it means."""
    if value is None:
        return default
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _OCTAL.match(value):
        return int(value, 8)
    raise StateError(f"{what}: mode is {value!r}, expected quoted octal digits, such as '0644'")


def user_id(name: str | None, what: str) -> int | None:
    if not name:
        return None
    if name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise StateError(f"{what}: the owner {name!r} is no user of this machine") from None


def group_id(name: str | None, what: str) -> int | None:
    if not name:
        return None
    if name.isdigit():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise StateError(f"{what}: the group {name!r} is no group of this machine") from None


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def temporary(path: Path) -> Path:
    """The one name that an unfinished file has beside its final one.

    It is always the same, so that a killed run leaves at most one, which the next overwrites.
    """
    return path.with_name(f".{path.name}.roost-new")


def put_in_place(new: Path, path: Path) -> None:
    """Rename a finished file to its final name, durably."""
    try:
        new.replace(path)
    except OSError as error:
        # A container's /etc/hosts is a mount of its own: it can be written, not replaced.
        if error.errno not in (errno.EBUSY, errno.EXDEV) or path.is_dir():
            new.unlink()
            raise
        with path.open("wb") as target:
            target.write(new.read_bytes())
            flush(target)
        new.unlink()
    flush_directory(path.parent)


def flush(handle: Any) -> None:
    handle.flush()
    os.fsync(handle.fileno())


def flush_directory(path: Path) -> None:
    with suppress(OSError):  # some file systems have no such call
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def atomic_write(
    node: Node, path: Path, data: bytes, wanted: Rights, validate: Sequence[str] | None = None
) -> None:
    """Write beside the final name, let `validate` judge it, flush, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = temporary(path)
    with suppress(FileNotFoundError):
        new.unlink()
    with room_for(path):
        # Never readable by more people than the final file is, not even while it is written.
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as target:
                target.write(data)
                flush(target)
            wanted.give(new)
            if validate:
                _judge(node, path, new, validate)
        except BaseException:
            new.unlink()
            raise
    put_in_place(new, path)


def _judge(node: Node, path: Path, new: Path, validate: Sequence[str]) -> None:
    if not any("{path}" in word for word in validate):
        raise StateError(f"{path}: validate has no {{path}} in it: {list(validate)}")
    argv = [word.replace("{path}", str(new)) for word in validate]
    done = node.run(argv, 60)
    if done.rc != 0:
        raise StateError(
            f"{path}: the new content is refused, the old is kept: {command_failure(argv, done)}"
        )


@contextmanager
def node_lock(node: Node, patience: float = 120) -> Iterator[None]:
    """One call at a time changes a machine; the kernel frees the lock of a killed one."""
    path = node.at("/run/roost.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as handle:
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    handle.seek(0)
                    raise StateError(
                        f"another run has been changing this machine for more than {patience:g} s "
                        f"(process {handle.read().strip() or 'unknown'} holds {path}): "
                        "wait for it or end it"
                    ) from None
            time.sleep(0.2)
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        yield
