# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells how a release is doing; documented by the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import screen
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.refusal import Refusal
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.status import status
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.steering import (
    COMMON,
    Steering,
)

ARGUMENTS = {
    **COMMON,
    "window": {"type": "float", "default": 10.0},
    "watch": {"type": "bool", "default": False},
}


class ActionModule(Steering):
    """Looks twice and shows what happened in between."""

    _supports_check_mode = True
    ARGUMENTS = ARGUMENTS

    def check(self, wanted: Mapping[str, Any]) -> None:
        if not 0 < wanted["window"] <= 3600:
            raise Refusal(
                f"window: got {wanted['window']:g}; expected seconds above 0, at most 3600"
            )

    def steer(self, job: Job, wanted: Mapping[str, Any]) -> dict[str, Any]:
        window = wanted["window"]
        found = screen.screen(status(job, window))
        while wanted["watch"]:
            for line in [*found, "-" * 80]:
                self.tell(line)
            found = screen.screen(status(job, window))
        return {"changed": False, "lines": found}
