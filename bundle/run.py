# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs other programs, with their output in a log and its end in the error."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bundle.errors import BundleError

TAIL_LINES = 15


def need(program: str) -> str:
    """Path of a program, or an error that names it."""
    found = shutil.which(program)
    if not found:
        raise BundleError(f"{program}: not installed; `make setup` installs it")
    return found


def run(
    command: Sequence[str],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
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
        for line in process.stdout:
            out.write(line)
            tail = [*tail[-TAIL_LINES:], line]
            if on_line:
                on_line(line.rstrip())
        code = process.wait()
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
