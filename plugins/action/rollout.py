# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rolls a version out; documented by the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    decide,
    engine,
    lines,
    preview,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import (
    PROMOTED,
    ROLLED_BACK,
    Document,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.opening import Asked, asked
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.steering import (
    COMMON,
    Steering,
    steered,
    walked,
)

ARGUMENTS = {
    **COMMON,
    "version": {"type": "str", "required": True},
    "app_image": {"type": "str"},
    "model_image": {"type": "str"},
}


class ActionModule(Steering):
    """Walks a version from weight 0 to its verdict."""

    _supports_check_mode = True
    ARGUMENTS = ARGUMENTS

    def steer(self, job: Job, wanted: Mapping[str, Any]) -> dict[str, Any]:
        version = asked(job.file, wanted["version"], wanted["app_image"], wanted["model_image"])
        if self._task.check_mode:
            found = preview.preview(job, version)
            for line in found.lines:
                self.tell(line)
            result = {**self.planned(found.objects), "plan": found.lines}
            if found.walks:
                walk = {"what": f"release {job.name}", "why": found.lines[0]}
                result |= {
                    "changed": True,
                    "changes": [walk, *result["changes"]],
                    "diff": [{"prepared": f"{found.lines[0]}\n"}, *result["diff"]],
                }
            return result
        document = engine.run(job, version, self.tell)
        if document is None:
            release, changed = decide.tidy(job, self.tell)
            return steered(job, release, changed, self.tell)
        result = {"changed": True, "changes": [walked(document)], **document.summary()}
        if document.outcome in (PROMOTED, ROLLED_BACK):
            result["commit"] = self._file_after(job, document, version)
        if document.outcome != PROMOTED:
            result |= {"failed": True, "msg": lines.ending(document)}
        return result

    def _file_after(self, job: Job, document: Document, version: Asked) -> list[str]:
        """Tell what the file has to say now that one of the two has the whole weight."""
        kept = document.canary if document.outcome == PROMOTED else document.stable
        images: dict[str, str] = {}
        if kept.version not in job.file.versions:
            images |= kept.images
            images |= version.images if kept.version == version.version else {}
        commit = lines.to_commit(kept.version, None, images)
        for line in commit:
            self.tell(line)
        return commit
