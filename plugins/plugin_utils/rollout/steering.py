# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the actions that steer a release have in common."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.roost.cluster.plugins.module_utils.api.arguments import (
    GATEWAY,
    KUBECONFIG,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    ApiError,
    KubernetesClient,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change
from ansible_collections.roost.cluster.plugins.module_utils.release import planning, spec
from ansible_collections.roost.cluster.plugins.module_utils.release.live import Unreadable
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from ansible_collections.roost.cluster.plugins.module_utils.release.resolving import (
    Unusable,
    read_lock,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import lines
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import Document
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.faults import Left
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.hands import Late, Moved
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.histograms import OtherEdges
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.lock import Held, Lost
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.refusal import Refusal
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.reports import Unwritten
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.store import BadState

COMMON: dict[str, Any] = {
    "release": {"type": "dict", "required": True},
    **KUBECONFIG,
    "lock": {"type": "path"},
    **GATEWAY,
    "cluster_domain": {"type": "str", "default": "cluster.local"},
    "timeout": {"type": "int", "default": 300},
    "reports": {"type": "path"},
}
# What a person can do something about; anything else is a defect and keeps its traceback.
_TOLD = (
    ApiError,
    BadState,
    Held,
    Late,
    Left,
    Lost,
    Moved,
    OtherEdges,
    Refusal,
    Unreadable,
    Unusable,
    Unwritten,
    planning.Rejected,
)


class Interrupted(BaseException):
    """Somebody ended the playbook. What has to be given back or removed is, on the way out."""


def _interrupt(number: int, _frame: object) -> None:
    # Once: a second signal ends the process as usual.
    signal.signal(number, signal.SIG_DFL)
    raise Interrupted


class Steering(ActionBase):
    """An action on the controller that talks to the cluster and tells what happens as it does."""

    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: dict[str, Any] = {}

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _result, wanted = self.validate_argument_spec(argument_spec=self.ARGUMENTS)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        made: list[Change] = []
        try:
            self.check(wanted)
            # Ansible's workers don't exit by themselves: what the client writes would stay.
            with tempfile.TemporaryDirectory(prefix="roost-") as folder:
                result = self.steer(replace(self._job(wanted, folder), made=made), wanted)
        except _TOLD as error:
            until_then = {"changed": bool(made), "changes": told(made)}
            raise AnsibleActionFail(str(error), result=until_then) from None
        return {**result, "changes": [*result.get("changes", []), *told(made)]}

    def check(self, wanted: Mapping[str, Any]) -> None:
        """Refuse values that can't be used, before anything is looked at."""

    def steer(self, job: Job, wanted: Mapping[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def planned(self, plan: planning.Plan) -> dict[str, Any]:
        """The result of a dry run."""
        changes = told(plan.changes)
        return {"changed": bool(changes), "changes": changes, "diff": plan.diff()}

    @property
    def tell(self) -> Callable[[str], None]:
        say: Callable[[str], None] = Display().display
        return say

    def _job(self, wanted: Mapping[str, Any], folder: str) -> Job:
        digests = read_lock(self._path(wanted["lock"]))
        block = planning.accept(wanted["release"], digests)
        release, problems = spec.read(block)
        if release is None:
            raise planning.Rejected(problems)
        reports = self._path(wanted["reports"])
        return Job(
            client=KubernetesClient(self._path(wanted["kubeconfig"]) or "", folder),
            context=Context(
                wanted["gateway_namespace"], wanted["gateway_selector"], wanted["cluster_domain"]
            ),
            file=release,
            digests=digests or {},
            timeout=float(wanted["timeout"]),
            reports=Path(reports) if reports else None,
        )

    def _path(self, path: str | None) -> str | None:
        return str(self._loader.path_dwim(path)) if path else None


def told(changes: Iterable[Change]) -> list[dict[str, str]]:
    """Changes in the form that the plan of a run is made from."""
    return [change.as_dict() for change in changes]


def walked(document: Document) -> dict[str, str]:
    """A rollout as a change of its release."""
    return {"what": f"release {document.release}", "why": lines.outcome(document)}


def steered(
    job: Job, release: Release, changed: bool, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The result after a person steered, with what the file has to say from now on."""
    canary = release.canary
    version = canary.version if canary else release.stable
    images = dict(release.versions[version])
    unknown = images if job.file.versions.get(version) != images else {}
    commit = lines.to_commit(
        release.stable, (canary.version, canary.weight) if canary else None, unknown
    )
    for line in commit:
        tell(line)
    return {
        "changed": changed or bool(job.made),
        "stable": release.stable,
        "canary": canary.version if canary else None,
        "weight": canary.weight if canary else 0,
        "commit": commit,
    }
