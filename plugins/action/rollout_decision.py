# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Promotes the canary or rolls it back; documented by the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    decide,
    reports,
    scene,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.steering import (
    COMMON,
    Steering,
    steered,
)

ARGUMENTS = {
    **COMMON,
    "decision": {
        "type": "str",
        "choices": [decide.PROMOTE, decide.ROLL_BACK],
        "required": True,
    },
}


class ActionModule(Steering):
    """Takes a person's decision."""

    _supports_check_mode = True
    ARGUMENTS = ARGUMENTS

    def steer(self, job: Job, wanted: Mapping[str, Any]) -> dict[str, Any]:
        promote = wanted["decision"] == decide.PROMOTE
        if self._task.check_mode:
            return self.planned(
                decide.planned(job, scene.promoted if promote else scene.rolled_back)
            )
        found = decide.decide(job, wanted["decision"], self.tell)
        result = steered(job, found.release, found.changed, self.tell)
        if found.document:
            reports.keep(job.reports, found.document, self.tell)
        return result
