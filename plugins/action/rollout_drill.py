# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Breaks the canary on purpose; documented by the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release.envoy_filters import Fault
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import drill, lines
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import ROLLED_BACK
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.refusal import Refusal
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.steering import (
    COMMON,
    Steering,
    walked,
)

ARGUMENTS = {
    **COMMON,
    "fault": {"type": "str", "choices": ["abort", "delay"], "default": "abort"},
    "percent": {"type": "int", "default": 50},
    "status": {"type": "int", "default": 503},
    "milliseconds": {"type": "int", "default": 500},
}
_LIMITS = {"percent": (1, 100), "status": (500, 599), "milliseconds": (1, 60_000)}


class ActionModule(Steering):
    """Injects a fault, and measures what users see until the rollback."""

    _supports_check_mode = False
    ARGUMENTS = ARGUMENTS

    def check(self, wanted: Mapping[str, Any]) -> None:
        for name, (low, high) in _LIMITS.items():
            if not low <= wanted[name] <= high:
                raise Refusal(f"{name}: got {wanted[name]}; expected an integer {low} to {high}")

    def steer(self, job: Job, wanted: Mapping[str, Any]) -> dict[str, Any]:
        percent = wanted["percent"]
        if wanted["fault"] == "abort":
            fault = Fault(abort_percent=percent, abort_status=wanted["status"])
        else:
            fault = Fault(delay_percent=percent, delay_seconds=wanted["milliseconds"] / 1000)
        found = drill.drill(job, fault, self.tell)
        for line in found.lines():
            self.tell(line)
        result = {
            "changed": True,
            "changes": [walked(found.document)],
            "outcome": found.document.outcome,
            **found.as_dict(),
        }
        if found.document.outcome != ROLLED_BACK:
            why = lines.ending(found.document)
            result |= {"failed": True, "msg": f"the canary was not rolled back: {why}"}
        return result
