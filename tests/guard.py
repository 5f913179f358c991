#!/usr/bin/env python3
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cleans up after tests that were killed and so couldn't do it themselves.

    tests/guard.py run PID    after tests/run, which has this id
    tests/guard.py bench PID  after `python -m tests.bench`, which has this id
    tests/guard.py molecule   after the `molecule test` that has started this, if one has: with
                              `molecule converge`, or --destroy=never, machines are meant to stay

Returns at once and leaves a process behind that waits for the end. Tests that end by themselves
remove the file with which it is to prove that its turn has come.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LEFTOVERS = REPOSITORY / "tests" / "leftovers"
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Guarded:
    """Tests that may be killed: which process, what it has started, what removes the rest."""

    pid: int
    token: Path
    is_part: Callable[[int], bool]
    clean_up: tuple[tuple[str, ...], ...]  # commands of the checkout


def of_run(pid: int) -> Guarded:
    clean_up = (("tests/leftovers",), ("host/docker_engine", "stop"))
    return _of_session(pid, "run.guard", f"ROOST_TEST_RUN={pid}", clean_up)


def of_bench(pid: int) -> Guarded:
    return _of_session(
        pid, "bench.guard", f"ROOST_BENCH_RUN={pid}", (("tests/leftovers", "bench"),)
    )


def _of_session(pid: int, token: str, mark: str, clean_up: tuple[tuple[str, ...], ...]) -> Guarded:
    # Docker Engine, which a test may have to start, has a session of its own and stays.
    session = os.getsid(pid)

    def is_part(other: int) -> bool:
        with contextlib.suppress(ProcessLookupError):
            return os.getsid(other) == session and mark in environment(other)
        return False

    return Guarded(pid, REPOSITORY / ".roost" / token, is_part, clean_up)


def of_molecule() -> Guarded | None:
    """The `molecule test` among the ancestors of this process that is to remove its machines."""
    pid = os.getppid()
    while pid > 1 and not _is_molecule(words := command(pid)):
        pid = parent(pid)
    if pid <= 1 or "test" not in words or "--destroy=never" in words:
        return None
    group, mark = os.getpgid(pid), f"MOLECULE_PROJECT_DIRECTORY={REPOSITORY}"

    def is_part(other: int) -> bool:
        with contextlib.suppress(ProcessLookupError):
            return os.getpgid(other) == group and mark in environment(other)
        return False

    token = REPOSITORY / ".roost" / "molecule" / "guard"
    return Guarded(pid, token, is_part, (("tests/leftovers", "molecule"),))


def _is_molecule(words: list[str]) -> bool:
    return any(Path(word).name == "molecule" for word in words[:2])


# -- Processes ------------------------------------------------------------------------------


def command(pid: int) -> list[str]:
    return _words(pid, "cmdline")


def environment(pid: int) -> list[str]:
    return _words(pid, "environ")


def _words(pid: int, name: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace").split("\0")
    except OSError:
        return []  # it has ended


def parent(pid: int) -> int:
    try:
        # After the name, which is in parentheses and may contain anything.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def parts(guarded: Guarded) -> list[int]:
    everyone = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in everyone if pid != os.getpid() and guarded.is_part(pid)]


def end(guarded: Guarded) -> None:
    """End what the tests had started and goes on without them."""
    until = time.monotonic() + PATIENCE_SECONDS
    while left := parts(guarded):
        last = time.monotonic() > until
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if last else signal.SIGTERM)
        time.sleep(0.2)  # they are nobody's children to wait for


# -- The watch ------------------------------------------------------------------------------


def watch(guarded: Guarded) -> None:
    """Wait until the tests have ended, and clean up unless they have done so."""
    with contextlib.suppress(ProcessLookupError):
        select.select([os.pidfd_open(guarded.pid)], [], [])
    # Nobody makes machines of the same name meanwhile: they are removed first, under this lock.
    with LEFTOVERS.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):
            if guarded.token.read_text() == str(os.getpid()):
                guarded.token.unlink()
                end(guarded)
                variables = {**os.environ, "LEFTOVERS_LOCKED": "true"}
                for words in guarded.clean_up:
                    subprocess.run([REPOSITORY / words[0], *words[1:]], env=variables, check=False)


def leave_behind(guarded: Guarded) -> None:
    """A process that belongs to no session and holds nobody's files, with its token laid out."""
    guarded.token.parent.mkdir(parents=True, exist_ok=True)
    if os.fork():
        return
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(nowhere, handle)
    os.closerange(3, 256)
    # Cleaning up is no part of the tests, and isn't about the cluster of any scenario.
    for name in [name for name in os.environ if name.startswith(("MOLECULE_", "ROOST_"))]:
        del os.environ[name]
    guarded.token.write_text(str(os.getpid()))
    watch(guarded)


def main(words: list[str]) -> int:
    makers = {"run": of_run, "bench": of_bench}
    guarded = makers[words[0]](int(words[1])) if words[0] in makers else of_molecule()
    if guarded:
        leave_behind(guarded)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
