# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: plan
type: aggregate
short_description: Tell what a run changes, and why
version_added: 0.1.0
description:
  - At the end of a run with C(--check) prints what would change, by host and role, each with its
    reason, or that nothing would.
  - With the extra variable C(plan_file), as in C(-e plan_file=plan.json), writes the same as a JSON
    document, in real runs too. A relative path is relative to where the run was started.
  - Only results that say that they changed something count. One that gives no reason is listed as
    such; nothing in the playbook C(site) does that.
  - Costs no call of a module.
requirements:
  - Enable it with C(callbacks_enabled = roost.cluster.plan).
author: the Roost developers (!UNKNOWN)
"""

import json
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.roost.cluster.plugins.callback.phases import UNREACHABLE, message
from ansible_collections.roost.cluster.plugins.plugin_utils.plan.changes import Place
from ansible_collections.roost.cluster.plugins.plugin_utils.plan.report import (
    Run,
    document,
    lines,
)

NO_ROLE = "playbook"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "roost.cluster.plan"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, display: Any = None, options: Any = None) -> None:
        super().__init__(display, options)
        self._run = Run(check_mode=bool(context.CLIARGS.get("check")))
        self._target: Path | None = None
        self._begun = False

    def v2_playbook_on_play_start(self, play: Any) -> None:
        if self._begun:
            return
        self._begun = True
        variables = play.get_variable_manager()
        given = {**variables._inventory.groups["all"].get_vars(), **variables.extra_vars}
        self._run.cluster = str(given["roost_cluster"]) if "roost_cluster" in given else None
        if given.get("plan_file"):
            self._target = Path(str(given["plan_file"])).expanduser().absolute()
            # A run that is killed leaves a plan that says it isn't complete, not an earlier one.
            self._write()

    def v2_runner_on_ok(self, result: Any) -> None:
        # A loop's items were added one by one.
        if not result.task.loop:
            self._add(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._add(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._add(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        # What it had changed until then.
        if not result.task.loop:
            self._add(result)
        if not ignore_errors:
            self._run.failed.append((_place(result), message(dict(result.result))))

    def v2_runner_on_unreachable(self, result: Any) -> None:
        if not result.task.ignore_unreachable:
            text = message(dict(result.result)) + UNREACHABLE
            self._run.failed.append((_place(result), text))

    def _add(self, result: Any) -> None:
        found, place = result.result, _place(result)
        self._run.collected.add(place, found)
        for note in found.get("notes") or []:
            self._run.notes.append((place, str(note)))
        for text in found.get("unknown") or []:
            self._run.unknown.append((place, str(text)))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._run.ended = True
        # What failed and was rescued is no failure. One that was not is its host's last word.
        last = {place.host: (place, text) for place, text in self._run.failed}
        lasting = [host for host in last if host in stats.failures or host in stats.dark]
        self._run.failed = [last[host] for host in lasting]
        if self._run.check_mode:
            self._display.display("")
            for line in lines(self._run):
                self._display.display(line)
        self._write()

    def _write(self) -> None:
        if self._target is None:
            return
        text = json.dumps(document(self._run), indent=2, ensure_ascii=False) + "\n"
        try:
            self._target.write_text(text, encoding="utf-8")
        except OSError as error:
            self._display.warning(f"plan_file: {self._target} can't be written: {error}")


def _place(result: Any) -> Place:
    task = result.task
    role = task._role.get_name() if task._role else NO_ROLE
    return Place(
        result.host.get_name(), role.removeprefix("roost.cluster."), task.name or task.action
    )
