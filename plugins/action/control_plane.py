# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compares a running cluster with its description; documented by the module of the same name."""

from __future__ import annotations

from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import marks
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import KubeadmError
from ansible_collections.roost.cluster.plugins.plugin_utils.kubeadm import drift, report
from ansible_collections.roost.cluster.plugins.plugin_utils.kubeadm.node_action import (
    NodeAction,
    Variables,
)

# Looks as if the machine had just become a node.
NEW_NODE = {"metadata": {}, "spec": {"taints": [marks.CONTROL_PLANE_TAINT]}}


class ActionModule(NodeAction):
    """The control_plane module: first it looks, then it takes the steps to what is described."""

    MODULE = "control_plane"

    def keep(self, task_vars: Variables) -> dict[str, Any]:
        arguments = {**self._task.args, "steps": None}
        first = self.ask(arguments, task_vars)
        if first.get("failed"):
            return first
        seen = first.pop("seen", None)
        try:
            found = self._compare(seen, first, arguments)
        except KubeadmError as error:
            return {**first, "failed": True, "msg": str(error)}
        if found.steps and not self._task.check_mode:
            done = self.ask({**arguments, "steps": found.steps}, task_vars)
            if done.get("failed"):
                return {**done, "changes": [*first["changes"], *done.get("changes", [])]}
        result = report.with_changes(first, found.changes)
        if found.kubelet_configuration:
            result["kubelet_configuration"] = found.kubelet_configuration
        return result

    def _compare(
        self, seen: dict[str, Any] | None, first: dict[str, Any], arguments: dict[str, Any]
    ) -> drift.Drift:
        found = drift.control_plane(seen, arguments["documents"]) if seen else drift.Drift()
        if seen is None and report.is_recovery(first):
            first["unknown"] = ["what else differs; it is compared once the control plane runs"]
            return found
        labels, taints = arguments.get("labels") or {}, arguments["taints"]
        node = seen["node"] if seen else NEW_NODE
        marked = marks.plan(node, labels, taints, marks.BY_KUBEADM)
        found.changes += marked.changes
        if marked.changes:
            found.steps.append({"name": "node", "labels": labels, "taints": taints})
        return found
