# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Joins a worker, and keeps it as described; documented by the module of the same name."""

from __future__ import annotations

from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import marks
from ansible_collections.roost.cluster.plugins.plugin_utils.kubeadm import drift, report
from ansible_collections.roost.cluster.plugins.plugin_utils.kubeadm.joining import (
    api_errors,
    bootstrap_token,
    ca_hash,
    connected,
    node_access,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.kubeadm.node_action import (
    NodeAction,
    Variables,
)


class ActionModule(NodeAction):
    """The worker module, with a token where it has to join, and the node's labels and taints."""

    MODULE = "worker"

    def keep(self, task_vars: Variables) -> dict[str, Any]:
        arguments = {"token": None, **self._task.args}
        labels, taints = arguments.get("labels") or {}, arguments.get("taints") or []
        result = self._joined(arguments, task_vars)
        if result.get("failed") or result.get("unknown"):
            return result
        # A machine that has just joined has what the cluster has for all kubelets.
        seen = result.pop("seen", None)
        found = drift.Drift()
        if seen:
            found = drift.worker(seen, arguments.get("kubelet_configuration") or "")
        if found.steps and not self._task.check_mode:
            done = self.ask({**arguments, "reconfigure": True}, task_vars)
            if done.get("failed"):
                return {**done, "changed": result["changed"], "changes": result["changes"]}
        node = seen["node"] if seen else {"metadata": {}, "spec": {"taints": marks.plain(taints)}}
        marked = marks.plan(node, labels, taints)
        if marked.changes and not self._task.check_mode:
            self._mark(arguments, labels, taints)
        return report.with_changes(result, [*found.changes, *marked.changes])

    def _joined(self, arguments: dict[str, Any], task_vars: Variables) -> dict[str, Any]:
        """What the module answers, once the machine is a node or where it would become one."""
        result = self.ask(arguments, task_vars)
        if result.get("failed") or not result["needs_join"] or self._task.check_mode:
            return result
        return self._join(arguments, task_vars)

    def _join(self, arguments: dict[str, Any], task_vars: Variables) -> dict[str, Any]:
        kubeconfig = arguments["kubeconfig"]
        what = "made or revoked no bootstrap token for the join"
        with (
            connected(kubeconfig) as client,
            api_errors(kubeconfig, what),
            bootstrap_token(client) as token,
        ):
            joining = {**arguments, "token": token, "ca_hash": ca_hash(client)}
            return self.ask(joining, task_vars)

    def _mark(self, arguments: dict[str, Any], labels: Any, taints: Any) -> None:
        name = arguments["document"]["nodeRegistration"]["name"]
        kubeconfig = arguments["kubeconfig"]
        what = f"set no labels and taints of {name}"
        with connected(kubeconfig) as client, api_errors(kubeconfig, what):
            read, patch = node_access(client, name)
            marks.apply(read, patch, labels, taints)
