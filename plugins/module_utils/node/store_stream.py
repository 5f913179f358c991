# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import select
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError
from ansible_collections.roost.cluster.plugins.module_utils.node.store_layout import blob_path

BUFFER = 1 << 20
Tell = Callable[[str], None]


class Stalled(Exception):
    """The other end has taken nothing for too long."""


class Pipe:
    """The standard input of a process, to be written to by tarfile; waiting has a limit."""

    def __init__(self, target: IO[bytes], patience: float) -> None:
        self._handle = target.fileno()
        self._patience = patience
        self._poll = select.poll()
        self._poll.register(self._handle, select.POLLOUT)
        self._stalled = False
        os.set_blocking(self._handle, False)

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        while rest:
            # tarfile tries to write its buffer once more when it is closed by an exception
            if self._stalled or not self._poll.poll(self._patience * 1000):
                self._stalled = True
                raise Stalled
            with suppress(BlockingIOError):
                rest = rest[os.write(self._handle, rest) :]
        return len(data)


def write_tar(
    target: Any, store: Path, blobs: Mapping[str, int], owners: Mapping[str, str], tell: Tell
) -> None:
    """Write blobs as one tar, each as a file named by its hex digest; nothing is held in memory."""
    with tarfile.open(fileobj=target, mode="w|", bufsize=BUFFER, format=tarfile.GNU_FORMAT) as tar:
        for digest, size in blobs.items():
            tell(digest)
            entry = tarfile.TarInfo(digest.partition(":")[2])
            entry.size, entry.mode = size, 0o600
            place = store / blob_path(digest)
            try:
                with place.open("rb") as source:
                    if os.fstat(source.fileno()).st_size != size:
                        raise StateError(
                            f"{owners.get(digest, digest)}: the blob {digest} has "
                            f"changed while it was sent: {place}"
                        )
                    tar.addfile(entry, source)
            except FileNotFoundError:
                raise StateError(
                    f"{owners.get(digest, digest)}: the blob {digest} is no longer in "
                    f"the store: {place}"
                ) from None


def send(
    argv: Sequence[str | bytes],
    store: Path,
    blobs: Mapping[str, int],
    owners: Mapping[str, str],
    patience: float,
    tell: Tell = lambda digest: None,
) -> None:
    """Stream blobs into a command that unpacks a tar from its standard input."""
    at = [""]

    def note(digest: str) -> None:
        at[0] = digest
        tell(digest)

    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(list(argv), stdin=subprocess.PIPE, stdout=said, stderr=said)
        stdin = cast("IO[bytes]", process.stdin)
        trouble = ""
        try:
            write_tar(Pipe(stdin, patience), store, blobs, owners, note)
            stdin.close()
            process.wait(patience)
        except BrokenPipeError:
            trouble = "the connection broke"
        except (Stalled, subprocess.TimeoutExpired):
            trouble = f"nothing was taken for {patience:g} s"
        finally:
            with suppress(OSError):
                stdin.close()
            rc = _end(process, 0 if trouble.startswith("nothing") else 5)
        if trouble or rc != 0:
            said.seek(0)
            last = said.read().decode("utf-8", "replace").strip()
            name = owners.get(at[0], "")
            raise StateError(
                f"sending the blob {at[0]} ({name}): {trouble or 'the other end refused it'}; "
                f"it ended with {rc}: {last[-2000:] or 'it printed nothing'}\n{_advice(last)}"
            )


def _advice(last: str) -> str:
    """What to do about a transfer whose other end said this last."""
    # Where the disk gets full within a block, tar doesn't say why it wrote no more.
    full = "No space left on device" in last or "Wrote only" in last
    repair = (
        "the disk is full: free some space where the machine keeps the store"
        if full
        else "look whether the machine still answers"
    )
    return f"{repair}, and run the same again; what has arrived whole is not sent again"


def _end(process: subprocess.Popen[bytes], patience: float) -> int:
    """Wait for a process whose input has ended, and end it where it doesn't do so by itself."""
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
