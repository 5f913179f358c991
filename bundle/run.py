# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs other programs, with their output in a log and its end in the error."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bundle.errors import BundleError

TAIL_LINES = 15
LOOK_SECONDS = 0.5


def need(program: str) -> str:
    """Path of a program, or an error that names it."""
    found = shutil.which(program)
    if not found:
        raise BundleError(f"{program}: not installed; `make setup` installs it")
    return found


class Watched:
    """A folder that a command fills. A command that adds nothing to it for `patience` seconds is
    ended; `report` is told how much is there."""

    def __init__(self, folder: Path, patience: float, report: Callable[[str], None]) -> None:
        self.folder = folder
        self.patience = patience
        self.report = report
        self.stalled = False

    def size(self) -> int:
        total = 0
        for path in self.folder.rglob("*"):
            with suppress(FileNotFoundError):  # a temporary file that has just got its name
                total += path.stat().st_size
        return total


@contextmanager
def _watch(process: subprocess.Popen[str], watched: Watched | None) -> Iterator[None]:
    if not watched:
        yield
        return
    ended = threading.Event()

    def look() -> None:
        seen, since = -1, time.monotonic()
        while not ended.wait(LOOK_SECONDS):
            size = watched.size()
            if size != seen:
                seen, since = size, time.monotonic()
                watched.report(f"{size / 1e6:.1f} MB")
            elif time.monotonic() - since > watched.patience:
                watched.stalled = True
                process.kill()
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def run(
    command: Sequence[str],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    watched: Watched | None = None,
) -> None:
    """Run a command, append what it prints to `log`, hand each line to `on_line`.

    Raises BundleError with the command, its exit code and the end of its output.
    """
    tail: list[str] = []
    with log.open("a", encoding="utf-8") as out:
        out.write(f"$ {' '.join(command)}\n")
        process = subprocess.Popen(
            list(command),
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert process.stdout is not None
        with _watch(process, watched):
            for line in process.stdout:
                out.write(line)
                tail = [*tail[-TAIL_LINES:], line]
                if on_line:
                    on_line(line.rstrip())
            code = process.wait()
    if code and watched and watched.stalled:
        raise BundleError(f"nothing came for {watched.patience:g} s")
    if code:
        raise BundleError(
            f"`{' '.join(command[:4])} …` ended with {code}; its last lines:\n"
            f"{''.join(tail)}(all of it: {log})"
        )


def output(command: Sequence[str], *, cwd: Path | None = None) -> str:
    """What a command prints; an error with its last words if it fails."""
    done = subprocess.run(
        list(command), cwd=cwd, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        raise BundleError(
            f"`{' '.join(command)}` ended with {done.returncode}: "
            f"{(done.stdout + done.stderr)[-800:]}"
        )
    return done.stdout
