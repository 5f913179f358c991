# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks at a machine, and at its clock by the controller's."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.roost.cluster.plugins.module_utils.node import by_shell
from ansible_collections.roost.cluster.plugins.module_utils.node.checks import (
    ARGUMENTS,
    verdict,
)

DEFAULT_INTERPRETER = "/usr/bin/python3"


class ActionModule(ActionBase):
    """The preflight module, between two looks at the controller's clock.

    Machines are looked at one after the other where there are many: their times alone would differ
    by as much as that takes.

    Where the module can't run, a shell is asked in its place: a machine with another system, or a
    user without rights, is one reason among the others, and no failure of this one machine with
    which the others would go on.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        before = time.time()
        try:
            result: dict[str, Any] = self._execute_module(
                module_name="roost.cluster.preflight",
                module_args=dict(self._task.args),  # it adds some of its own
                task_vars=task_vars,
            )
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as error:  # sudo asks for a password that there is none of
            if told := self._by_shell(str(error), task_vars or {}):
                return told
            raise
        after = time.time()
        if "facts" in result:
            clock = result["facts"]["time"]
            result["facts"]["clock_ahead"] = {"least": clock - after, "most": clock - before}
            return result
        said = "\n".join(str(result.get(key, "")) for key in ("msg", "module_stderr"))
        return self._by_shell(said, task_vars or {}) or result

    def _by_shell(self, failure: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The module's answer as far as a shell can give it; nothing if it finds no reason."""
        _result, wishes = self.validate_argument_spec(argument_spec=ARGUMENTS)
        given = task_vars.get("ansible_python_interpreter") or C.config.get_config_value(
            "INTERPRETER_PYTHON", variables=task_vars
        )
        interpreter = str(self._templar.template(given))
        if not interpreter.startswith("/"):  # auto and its like
            interpreter = DEFAULT_INTERPRETER
        printed = self._low_level_execute_command(by_shell.command(interpreter), sudoable=False)
        user = str(self._get_remote_user() or "")
        found = by_shell.problems(printed["stdout"], failure, user, wishes)
        if not found:
            return {}
        answer = {"changed": False, "problems": [asdict(problem) for problem in found]}
        if wishes["report_only"]:
            return answer
        return {**answer, "failed": True, "msg": verdict(task_vars["inventory_hostname"], found)}
