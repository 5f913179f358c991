# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gives the canary another weight; documented by the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import decide
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.refusal import Refusal
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.steering import (
    COMMON,
    Steering,
    steered,
)

ARGUMENTS = {**COMMON, "weight": {"type": "int", "required": True}}


class ActionModule(Steering):
    """Moves the weight by hand."""

    _supports_check_mode = True
    ARGUMENTS = ARGUMENTS

    def check(self, wanted: Mapping[str, Any]) -> None:
        if not 0 <= wanted["weight"] <= 100:
            raise Refusal(f"weight: got {wanted['weight']}; expected an integer from 0 to 100")

    def steer(self, job: Job, wanted: Mapping[str, Any]) -> dict[str, Any]:
        weight = wanted["weight"]
        if self._task.check_mode:
            return self.planned(decide.planned(job, lambda live: decide.weighted(live, weight)))
        release, changed = decide.shift(job, weight, self.tell)
        return steered(job, release, changed, self.tell)
