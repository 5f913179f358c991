# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: phases
type: aggregate
short_description: Show where the time goes, and repeat at the end what failed
version_added: 0.1.0
description:
  - Prints a line when a play (a phase) begins and ends.
  - "At the end prints a table: seconds of each phase and of the roles in it, how many module calls
    each host executed, and the slowest tasks. A call counts as executed unless it was skipped; each
    item of a loop is one."
  - Repeats on the last lines what failed, so that nobody has to look for it above the recap.
options:
  timings_file:
    description: File to which the table is written as JSON.
    type: path
    env:
      - name: ROOST_TIMINGS
requirements:
  - Enable it with C(callbacks_enabled = roost.cluster.phases).
author: the Roost developers (!UNKNOWN)
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback import CallbackBase

SLOWEST = 10
# Ansible's own words only say what was found.
UNREACHABLE = (
    "\nexpected to reach it by SSH; it was left out from here on. Start the machine or correct "
    "the inventory, and run the same again"
)


@dataclass
class TaskTime:
    name: str
    role: str
    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass
class Phase:
    name: str
    start: float
    end: float = 0.0
    tasks: dict[str, TaskTime] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def roles(self) -> dict[str, float]:
        """Seconds spent in each role, in the order in which they ran."""
        sums: dict[str, float] = {}
        for task in self.tasks.values():
            if task.role:
                sums[task.role] = sums.get(task.role, 0.0) + task.seconds
        return sums


class Timings:
    """What ran when; knows nothing of Ansible."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.start = clock()
        self.phases: list[Phase] = []
        self.calls: Counter[str] = Counter()

    @property
    def elapsed(self) -> float:
        return self._clock() - self.start

    def begin_phase(self, name: str) -> Phase:
        self.phases.append(Phase(name, self._clock()))
        return self.phases[-1]

    def end_phase(self) -> Phase | None:
        """The phase that was running, if any, ended now."""
        if not self.phases or self.phases[-1].end:
            return None
        self.phases[-1].end = self._clock()
        return self.phases[-1]

    def begin_task(self, key: str, name: str, role: str) -> None:
        if self.phases:
            now = self._clock()
            self.phases[-1].tasks.setdefault(key, TaskTime(name, role, now, now))

    def result(self, key: str) -> None:
        """A host is done with a task; the last host's time is the task's."""
        if self.phases and key in self.phases[-1].tasks:
            self.phases[-1].tasks[key].end = self._clock()

    def slowest(self) -> list[TaskTime]:
        tasks = [task for phase in self.phases for task in phase.tasks.values()]
        return sorted(tasks, key=lambda task: -task.seconds)[:SLOWEST]

    def as_dict(self) -> dict[str, Any]:
        return {
            "seconds": round(self.elapsed, 2),
            "phases": [
                {
                    "name": phase.name,
                    "seconds": round(phase.seconds, 2),
                    "roles": {role: round(spent, 2) for role, spent in phase.roles().items()},
                }
                for phase in self.phases
            ],
            "module_calls": dict(sorted(self.calls.items())),
            "slowest": [
                {"name": task.name, "role": task.role, "seconds": round(task.seconds, 2)}
                for task in self.slowest()
            ],
        }


def table(timings: dict[str, Any]) -> list[str]:
    lines = [f"{'seconds':>8}  phase and its roles"]
    for phase in timings["phases"]:
        lines.append(f"{phase['seconds']:8.1f}  {phase['name']}")
        lines += [f"{spent:8.1f}      {role}" for role, spent in phase["roles"].items()]
    lines.append(f"{timings['seconds']:8.1f}  in all")
    lines += ["", f"{'seconds':>8}  slowest tasks"]
    lines += [
        f"{task['seconds']:8.1f}  {task['role'] + ' : ' if task['role'] else ''}{task['name']}"
        for task in timings["slowest"]
    ]
    calls = ", ".join(f"{host} {count}" for host, count in timings["module_calls"].items())
    return [*lines, "", f"module calls executed: {calls or 'none'}"]


def message(result: dict[str, Any]) -> str:
    """What a failed result says for itself."""
    failed_items = [item for item in result.get("results", []) if item.get("failed")]
    if failed_items:
        return "\n".join(message(item) for item in failed_items)
    said = result.get("msg") or result.get("censored") or result.get("stderr") or "no message"
    return "\n".join(str(line) for line in said) if isinstance(said, list) else str(said)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "roost.cluster.phases"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, display: Any = None, options: Any = None) -> None:
        super().__init__(display, options)
        self._timings = Timings()
        # (task, what it said) → the hosts on which it failed
        self._failed: dict[tuple[str, str], list[str]] = {}

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._end_phase()
        self._timings.begin_phase(play.get_name())
        number = len(self._timings.phases)
        self._say(f"phase {number}: {play.get_name()}, begins at {_clock(self._timings.elapsed)}")

    def _end_phase(self) -> None:
        phase = self._timings.end_phase()
        if phase is not None:
            number = len(self._timings.phases)
            self._say(f"phase {number}: {phase.name}, took {phase.seconds:.1f} s")

    def _say(self, line: str) -> None:
        self._display.display(line, color="bright blue")

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        role = task._role.get_name() if task._role else ""
        self._timings.begin_task(task._uuid, task.name or task.action, role)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self.v2_playbook_on_task_start(task, False)

    def _executed(self, result: Any) -> None:
        self._timings.result(result.task._uuid)
        # A loop's items were counted one by one; an include runs nothing itself.
        if not result.task.loop and not isinstance(result.task, TaskInclude):
            self._timings.calls[result.host.get_name()] += 1

    def v2_runner_on_ok(self, result: Any) -> None:
        self._executed(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._timings.result(result.task._uuid)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._executed(result)
        if not ignore_errors:
            self._remember(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._timings.result(result.task._uuid)
        if not result.task.ignore_unreachable:
            self._remember(result, UNREACHABLE)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._timings.calls[result.host.get_name()] += 1

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._timings.calls[result.host.get_name()] += 1

    def _remember(self, result: Any, advice: str = "") -> None:
        task, text = result.task, message(dict(result.result)) + advice
        role = f"{task._role.get_name()} : " if task._role else ""
        self._failed.setdefault((f"{role}{task.name or task.action}", text), []).append(
            result.host.get_name()
        )

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._end_phase()
        # What the playbook itself reports (ansible.builtin.set_stats) goes along.
        timings = {**self._timings.as_dict(), "results": stats.custom.get("_run", {})}
        for line in ["", *table(timings)]:
            self._display.display(line)
        self._write(timings)
        self._repeat_failures(stats)

    def _write(self, timings: dict[str, Any]) -> None:
        target = self.get_option("timings_file")
        if not target:
            return
        try:
            Path(target).write_text(json.dumps(timings, indent=2) + "\n")
        except OSError as error:
            self._display.warning(f"ROOST_TIMINGS: {target} can't be written: {error}")

    def _repeat_failures(self, stats: Any) -> None:
        """On the last lines, what failed and was not rescued afterwards."""
        for (task, text), hosts in self._failed.items():
            lasting = [host for host in hosts if host in stats.failures or host in stats.dark]
            if lasting:
                self._display.display(f"\nfailed on {', '.join(lasting)}: {task}", color="red")
                for line in text.splitlines():
                    self._display.display(f"  {line}", color="red")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
