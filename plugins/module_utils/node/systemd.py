# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    command_failure,
)

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "UnitFileState",
    "NeedDaemonReload",
    "NRestarts",
    "ExecMainStartTimestampMonotonic",
    "ActiveEnterTimestampMonotonic",
)
RUNNING = ("active", "reloading", "refreshing", "activating")
# Enabling these says nothing more: they start with what needs them, or are made at each start.
ENABLED = ("enabled", "static", "alias", "indirect", "generated")


@dataclass(frozen=True)
class UnitLook:
    """What systemd knows of one unit."""

    name: str
    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    file_state: str = ""
    needs_reload: bool = False
    restarts: int = 0
    started: float | None = None  # seconds since the epoch, of the process that runs now

    @property
    def running(self) -> bool:
        return self.active in RUNNING

    @property
    def state(self) -> str:
        return f"{self.active} ({self.sub})"


def unit_name(name: str) -> str:
    known = (".service", ".socket", ".timer", ".target", ".path", ".mount", ".slice")
    return name if name.endswith(known) else f"{name}.service"


def parse_show(name: str, text: str, offset: float) -> UnitLook:
    """One block of `systemctl show`; offset is the wall clock minus the monotonic one."""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    micros = int(fields.get("ExecMainStartTimestampMonotonic") or 0) or int(
        fields.get("ActiveEnterTimestampMonotonic") or 0
    )
    active = fields.get("ActiveState", "inactive")
    return UnitLook(
        name=name,
        load=fields.get("LoadState", "not-found"),
        active=active,
        sub=fields.get("SubState", "dead"),
        result=fields.get("Result", "success"),
        file_state=fields.get("UnitFileState", ""),
        needs_reload=fields.get("NeedDaemonReload") == "yes",
        restarts=int(fields.get("NRestarts") or 0),
        started=micros / 1e6 + offset if micros and active in RUNNING else None,
    )


class Systemd:
    """The few things that are asked of systemd, each by one command that says why it failed."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def show(self, names: Sequence[str]) -> dict[str, UnitLook]:
        """The state of several units by one call."""
        argv = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", *names]
        done = self.node.run(argv, 30)
        if done.rc != 0:
            raise StateError(f"systemd does not answer: {command_failure(argv, done)}")
        # Both clocks at one moment. A unit's start is kept on the monotonic clock because its
        # wall-clock stamp is given in whole seconds only, and moves away when the clock is set.
        offset = time.time() - time.monotonic()
        blocks = done.out.strip("\n").split("\n\n")
        if len(blocks) != len(names):
            raise StateError(f"systemd told of {len(blocks)} units, asked for {', '.join(names)}")
        return {name: parse_show(name, text, offset) for name, text in zip(names, blocks)}

    def one(self, name: str) -> UnitLook:
        return self.show([name])[name]

    def reload(self) -> None:
        self.node.command(["systemctl", "daemon-reload"], "letting systemd read its unit files")

    def do(self, verb: str, name: str) -> None:
        """Start, stop, restart, enable or disable a unit."""
        argv = ["systemctl", verb, name]
        done = self.node.run(argv, 300)
        if done.rc != 0:
            raise StateError(f"{name}: {command_failure(argv, done)}{self.evidence(name)}")

    def journal(self, name: str, lines: int = 15) -> str:
        argv = [
            "journalctl",
            "--no-pager",
            "--output=short-iso",
            f"--lines={lines}",
            f"--unit={name}",
        ]
        done = self.node.run(argv, 30)
        return done.out.rstrip() if done.rc == 0 else f"(no journal: {command_failure(argv, done)})"

    def evidence(self, name: str) -> str:
        """What helps to find out why a unit does not run: its state and its last words."""
        try:
            seen = self.one(name)
        except StateError:
            return ""
        return (
            f"\n{name} is {seen.state}, result {seen.result}, {seen.restarts} restarts; "
            f"its last journal lines:\n{self.journal(name)}"
        )
