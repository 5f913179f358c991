# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One run of either side, and what is known of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import cluster, inputs

SITE, BARE = "site.yml", "shell"
# The plays of site.yml and the steps of the script that do the same.
STEPS = {
    "Registry": "registry",
    "Preflight": "machines",
    "Node": "machines",
    "Container runtime and kubelet": "machines",
    "Control plane": "control_plane",
    "Workers": "workers",
    "Pod network": "pod_network",
    "Istio": "istio",
    # What is left of the wait for nodes is in it too.
    "Nodes and mesh": "istio",
    "Release": "release",
    "Gateway": "release",
}


@dataclass
class Run:
    """Times in seconds; bytes that each machine received; module calls by host."""

    side: str
    number: int
    """The first run on bare machines, or the second one on the same."""
    seconds: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)
    pulled: dict[str, int] = field(default_factory=dict)
    """Of images, by machine, since it was made."""
    calls: dict[str, int] = field(default_factory=dict)
    slowest: list[dict[str, Any]] = field(default_factory=list)
    load: float = 0.0
    """Of the machine, in the minute before the run."""


@contextmanager
def _measured(run: Run) -> Iterator[None]:
    before, run.load = cluster.received_bytes(), os.getloadavg()[0]
    began = time.monotonic()
    yield
    run.seconds = time.monotonic() - began
    after = cluster.received_bytes()
    run.received = {name: after[name] - before[name] for name in before}
    run.pulled = cluster.pulled_bytes()


def site(number: int, folder: Path) -> Run:
    """site.yml without its closing measurement."""
    run, timings = Run(SITE, number), folder / "timings.json"
    with _measured(run):
        cluster.run(inputs.SITE, folder / "site.log", ROOST_TIMINGS=str(timings))
    told = json.loads(timings.read_text())
    for phase in told["phases"]:
        step = STEPS.get(phase["name"], "start")
        run.steps[step] = run.steps.get(step, 0.0) + phase["seconds"]
    # Ansible itself: until the first play begins, and after the last one.
    run.steps["start"] += run.seconds - sum(phase["seconds"] for phase in told["phases"])
    run.calls, run.slowest = told["module_calls"], told["slowest"]
    return run


def bare(number: int, folder: Path) -> Run:
    """The shell script."""
    run, steps = Run(BARE, number), folder / "steps"
    with _measured(run):
        command = ["tests/bench/bare", str(folder / "inputs"), str(steps)]
        cluster.run(command, folder / "bare.log")
    for line in steps.read_text().splitlines():
        name, microseconds = line.split()
        run.steps[name] = int(microseconds) / 1e6
    return run


def both_runs(side: Callable[[int, Path], Run], folder: Path) -> list[Run]:
    """A first and a second run of a side on machines of its own."""
    with cluster.fresh_machines():
        return [side(number, folder) for number in (1, 2)]
