# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks at a machine, and at its clock by the controller's."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """The preflight module, between two looks at the controller's clock.

    Machines are looked at one after the other where there are many: their times alone would differ
    by as much as that takes.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        before = time.time()
        result: dict[str, Any] = self._execute_module(
            module_name="roost.cluster.preflight", module_args=self._task.args, task_vars=task_vars
        )
        after = time.time()
        if "facts" in result:
            clock = result["facts"]["time"]
            result["facts"]["clock_ahead"] = {"least": clock - after, "most": clock - before}
        return result
