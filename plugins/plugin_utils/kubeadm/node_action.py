# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the actions control_plane and worker have in common."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import marks
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import KubeadmError
from ansible_collections.roost.cluster.plugins.plugin_utils.kubeadm import report

Variables = dict[str, Any] | None


class NodeAction(ActionBase):
    """A module that looks at a node of kubeadm's and acts; what has to be done is decided here."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    MODULE = ""

    def run(self, tmp: str | None = None, task_vars: Variables = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        given = self._task.args
        wrong = marks.problems(given.get("labels") or {}, given.get("taints") or [])
        if wrong:
            return report.refusal(wrong)
        try:
            return self.keep(task_vars)
        except KubeadmError as error:
            raise AnsibleActionFail(str(error)) from None

    def keep(self, task_vars: Variables) -> dict[str, Any]:
        """Have the node as it is described; the result of the task."""
        raise NotImplementedError

    def ask(self, arguments: dict[str, Any], task_vars: Variables) -> dict[str, Any]:
        """What the module answers to these arguments."""
        result: dict[str, Any] = self._execute_module(
            module_name=f"roost.cluster.{self.MODULE}", module_args=arguments, task_vars=task_vars
        )
        return result
