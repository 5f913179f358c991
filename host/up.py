# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`make up`: the bundle, the machines, the playbook, and a summary of what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from host.cluster_settings import REPOSITORY, Paths, Settings, cluster_name, recorded

PLAYBOOK = "cluster, mesh and release"


@dataclass
class Clock:
    """Runs the phases and keeps how long each took, in seconds."""

    environment: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)

    def phase(self, name: str, command: Sequence[str]) -> None:
        """Run one phase; its failure is the end, and the command itself has said why."""
        print(f"\n== {name}", flush=True)
        began = time.monotonic()
        code = subprocess.run(command, env=self.environment, cwd=REPOSITORY, check=False).returncode
        self.seconds[name] = time.monotonic() - began
        if code:
            print(
                f"\nmake up: stopped in the phase {name!r}; run it again when the reason above is "
                "put right, it goes on from there",
                file=sys.stderr,
            )
            sys.exit(code)


def report(paths: Paths, settings: Settings, clock: Clock, timings: dict[str, Any]) -> None:
    """Where things are, what was measured, and where the time went."""
    print("\nphase                              seconds")
    for name, seconds in clock.seconds.items():
        print(f"{name:34} {seconds:7.1f}")
        if name == PLAYBOOK:
            for play in timings["phases"]:
                print(f"  {play['name']:32} {play['seconds']:7.1f}")
    print(f"{'all':34} {sum(clock.seconds.values()):7.1f}")
    print(f"\nsplit       {timings['results'].get('split', 'not measured')}")
    print(f"kubeconfig  {paths.kubeconfig}")
    print(f"app         http://127.0.0.1:{settings.http_port}/")
    if https := timings["results"].get("https"):
        print(f"            {https}")


def main() -> int:
    paths = Paths(REPOSITORY, cluster_name(os.environ))
    settings = recorded(paths)
    if settings is None:
        print("make up: no settings recorded; run `host/settings.py record`", file=sys.stderr)
        return 2
    timings = paths.directory / "timings.json"
    timings.unlink(missing_ok=True)
    clock = Clock(
        {
            **os.environ,
            "VAGRANT_DOTFILE_PATH": str(paths.vagrant),
            "ROOST_TIMINGS": str(timings),
        }
    )
    clock.phase("bundle", [sys.executable, "-m", "bundle", "fill"])
    clock.phase("machines", ["vagrant", "up", "--no-provision"])
    clock.phase(PLAYBOOK, ["ansible-playbook", "playbooks/site.yml", *sys.argv[1:]])
    report(paths, settings, clock, json.loads(timings.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
