# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether nodes, pods and workloads are ready, and what they lack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, leaving


def is_ready(item: Mapping[str, Any]) -> bool:
    """Whether a pod or a node is Ready, and is to stay."""
    conditions = (item.get("status") or {}).get("conditions") or []
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and not leaving(item)


def is_observed(item: Mapping[str, Any]) -> bool:
    """Whether the status is about the present specification; an older one says nothing of it."""
    seen = (item.get("status") or {}).get("observedGeneration", 0)
    return bool(seen >= item["metadata"].get("generation", 0))


def node_lacks(name: str, node: Block | None) -> str | None:
    """What keeps a node from being Ready, or None."""
    if node is None:
        return f"node {name} has not registered"
    for condition in (node.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] == "True":
            return None
        if condition["type"] == "Ready":
            return f"node {name} is not Ready: {condition.get('message', condition['status'])}"
    return f"node {name} has not reported yet"


def deployment_lacks(name: str, deployment: Block | None, lost: int = 0) -> str | None:
    """What keeps a Deployment from being rolled out, or None. Lost pods are not waited for."""
    if deployment is None:
        return f"Deployment {name} doesn't exist"
    status, spec = deployment.get("status") or {}, deployment["spec"]
    wanted = spec.get("replicas", 1)
    if not is_observed(deployment):
        return f"{name}: Kubernetes has not seen the latest change yet"
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if updated < wanted:
        return f"{name}: {updated} of {wanted} pods are made from the latest template"
    if status.get("replicas", 0) > updated:
        return f"{name}: {status['replicas'] - updated} pods of an older template are left"
    if available + lost < wanted:
        return f"{name}: {available} of {wanted} pods are ready"
    return None


def validator_lacks(name: str, item: Block | None) -> str | None:
    """What keeps a validating webhook from being asked about every change, or None."""
    if item is None:
        return f"ValidatingWebhookConfiguration {name} doesn't exist"
    for webhook in item.get("webhooks") or []:
        if not webhook["clientConfig"].get("caBundle"):
            return f"{name}: the API server has no certificate for it yet"
        if webhook.get("failurePolicy") != "Fail":
            return f"{name}: what it can't be asked about is let through"
    return None


def daemon_set_lacks(name: str, item: Block | None, lost: int = 0) -> str | None:
    """What keeps a DaemonSet from being rolled out, or None. Lost pods are not waited for."""
    if item is None:
        return f"DaemonSet {name} doesn't exist"
    status = item.get("status") or {}
    if not is_observed(item):
        return f"{name}: Kubernetes has not seen the latest change yet"
    wanted = status.get("desiredNumberScheduled", 0)
    for key, words in (
        ("updatedNumberScheduled", "pods are made from the latest template"),
        ("numberAvailable", "pods are ready"),
    ):
        if status.get(key, 0) + lost < wanted or not wanted:
            return f"{name}: {status.get(key, 0)} of {wanted} {words}"
    return None
