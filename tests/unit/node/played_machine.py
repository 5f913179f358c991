# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A machine for the engine: its systemd and its kernel are played, all else are real files."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.core import Done

from tests.unit.node.helpers import BlobHandler

UNIT = "/etc/systemd/system/box.service"
CONFIG = "/etc/box/box.conf"
BINARY = "/usr/local/bin/box"


class Machine:
    """Plays systemd and the kernel on files, so that they outlive a killed process."""

    def __init__(self, root: Path, die_at: int = -1) -> None:
        self.root, self.events, self.die_at = root, 0, die_at
        self.state_file = root / "systemd.json"

    def event(self) -> None:
        self.events += 1
        if self.events == self.die_at:
            os._exit(9)

    def state(self) -> dict[str, Any]:
        if not self.state_file.exists():
            return {}
        known: dict[str, Any] = json.loads(self.state_file.read_text())
        return known

    def __call__(self, argv: Sequence[str], timeout: float) -> Done:
        words, state = list(argv), self.state()
        if words[:2] == ["systemctl", "show"]:
            return Done(0, "\n\n".join(self.show(name, state) for name in words[3:]), "")
        self.event()
        unit_file = self.root / UNIT[1:]
        if words == ["modprobe", "br_netfilter"]:
            (self.root / "sys/module/br_netfilter").mkdir(parents=True)
        elif words[:2] == ["systemctl", "daemon-reload"]:
            state["loaded"] = unit_file.stat().st_mtime_ns
            state["unit"] = unit_file.read_text()
        elif words[:2] == ["systemctl", "enable"]:
            state["enabled"] = True
        elif words[1] in ("start", "restart"):
            state["started"] = time.monotonic()
            texts = [(self.root / path[1:]).read_text() for path in (CONFIG, BINARY)]
            state["runs"] = [*texts, state["unit"]]
            state["starts"] = state.get("starts", 0) + 1
        self.state_file.write_text(json.dumps(state))
        self.event()
        return Done(0, "", "")

    def show(self, name: str, state: dict[str, Any]) -> str:
        unit_file = self.root / UNIT[1:]
        loaded = state.get("loaded")
        stale = loaded is not None and loaded != unit_file.stat().st_mtime_ns
        return "\n".join(
            [
                f"LoadState={'loaded' if loaded else 'not-found'}",
                f"ActiveState={'active' if state.get('started') else 'inactive'}",
                "SubState=x",
                f"UnitFileState={'enabled' if state.get('enabled') else ''}",
                f"NeedDaemonReload={'yes' if stale else 'no'}",
                f"ExecMainStartTimestampMonotonic={int(state.get('started', 0) * 1e6)}",
            ]
        )


def describe(registry: type[BlobHandler], version: str, ready: str) -> dict[str, Any]:
    of = registry.serve(f"box {version}".encode())
    return {
        "registry": registry.address,
        "kernel_modules": ["br_netfilter"],
        "sysctls": {"net.ipv4.ip_forward": 1},
        "swap": "off",
        "hosts_entries": {"control": "10.0.0.1"},
        "directories": [{"path": "/var/lib/box", "mode": "0750"}],
        "binaries": [{"name": "box", "path": BINARY, "repository": "files/box", **of}],
        "files": [
            {"path": CONFIG, "content": f"version = {version}\n"},
            {"path": UNIT, "content": f"[Service]\n# {version}\n"},
        ],
        "links": [{"path": "/etc/box/link", "target": "box.conf"}],
        "absent": ["/etc/box/old.conf"],
        "services": [
            {
                "name": "box",
                "enabled": True,
                "state": "started",
                "restart_on": [CONFIG, BINARY],
                "ready": {"unix": ready, "timeout": 2},
            }
        ],
    }
