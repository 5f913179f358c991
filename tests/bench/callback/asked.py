# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes down what modules were asked for, and the stages of a release."""

from __future__ import annotations

DOCUMENTATION = r"""
name: asked
type: aggregate
short_description: Write down what modules were asked for
version_added: 0.1.0
description:
  - Appends a line of JSON for each call of a module, with its role, its host and its arguments.
  - A check run on bare machines gives all that a run would put on them, which is how the bench's
    shell script gets the same files, documents and objects.
author: the Roost developers (!UNKNOWN)
options:
  asked_file:
    description: File that the lines are appended to.
    type: path
    required: true
    env:
      - name: ROOST_BENCH_ASKED
"""

import json
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "asked"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        given, task = result.result, result.task
        line = {
            "host": result.host.get_name(),
            "role": task._role.get_name() if task._role else "",
            "module": task.action,
            "arguments": (given.get("invocation") or {}).get("module_args") or {},
            "stages": given.get("stages"),
        }
        with Path(self.get_option("asked_file")).open("a") as out:
            out.write(json.dumps(line) + "\n")
