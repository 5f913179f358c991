# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Wanted = dict[str, Any]


class StateError(Exception):
    """What keeps a machine from its desired state, in words that a person can act on."""


@dataclass(frozen=True)
class Done:
    """What an external command answered."""

    rc: int
    out: str
    err: str


Run = Callable[[Sequence[str], float], Done]


def run_command(argv: Sequence[str], timeout: float = 120) -> Done:
    """Run one command with a plain locale, so that its words can be read by a program."""
    env = dict(os.environ, LC_ALL="C", SYSTEMD_PAGER="", SYSTEMD_COLORS="0")
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env=env,
            check=False,
        )
    except FileNotFoundError:
        return Done(127, "", f"{argv[0]}: no such command on this machine")
    except PermissionError:
        return Done(126, "", f"{argv[0]}: not executable")
    except subprocess.TimeoutExpired:
        return Done(124, "", f"no answer after {timeout:g} s")
    return Done(done.returncode, _text(done.stdout), _text(done.stderr))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def command_failure(argv: Sequence[str], done: Done) -> str:
    said = done.err.strip() or done.out.strip() or "it printed nothing"
    return f"`{shlex.join(argv)}` ended with {done.rc}: {said}"


@dataclass
class Node:
    """The machine that a call works on. Only tests use a root other than /."""

    root: Path = Path("/")
    run: Run = run_command
    check: bool = False  # nothing may be written, not even what is only remembered
    notes: list[str] = field(default_factory=list)

    def at(self, path: str) -> Path:
        """Where an absolute path of the machine lies for this process."""
        if not path.startswith("/"):
            raise StateError(f"{path!r} is not an absolute path")
        return self.root / path.lstrip("/")

    def read(self, path: str) -> str | None:
        """A file's text, or None where there is none to read."""
        try:
            # Bytes that are no text survive a file's being read and written again.
            return self.at(path).read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return None

    def command(self, argv: Sequence[str], why: str, timeout: float = 120) -> Done:
        """Run a command that must succeed; `why` is what it was needed for."""
        done = self.run(argv, timeout)
        if done.rc != 0:
            raise StateError(f"{why}: {command_failure(argv, done)}")
        return done


@dataclass(frozen=True)
class Step:
    """One planned change: what, why, how it reads before and after, and how it is made."""

    what: str
    why: str
    act: Callable[[], None]
    before: str = ""
    after: str = ""
    changes: tuple[str, ...] = ()  # paths whose content changes: services restart for them
    follows: tuple[str, ...] = ()  # paths because of whose change it has to be made
    batch: str = ""  # neighbours with the same name run in parallel

    def change(self) -> dict[str, str]:
        return {"what": self.what, "why": _shown(self.why)}

    def diff(self) -> dict[str, str]:
        return {
            "before": _shown(self.before),
            "after": _shown(self.after),
            "before_header": f"{self.what} (now)",
            "after_header": f"{self.what} ({_shown(self.why)})",
        }


def _shown(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def changed_paths(steps: Sequence[Step]) -> set[str]:
    return {path for step in steps for path in step.changes}
