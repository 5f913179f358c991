# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Objects of the Kubernetes API, as the plain JSON that the server sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# A mapping as it stands in YAML: one object, a part of one, or what objects are derived from.
Block = dict[str, Any]

FIELD_MANAGER = "roost"


def object_key(item: Mapping[str, Any]) -> str:
    """`Deployment digits/app-v1`: unique in a cluster, and readable."""
    meta = item["metadata"]
    namespace = meta.get("namespace")
    place = f"{namespace}/" if namespace else ""
    return f"{item['kind']} {place}{meta['name']}"


def name_of(item: Mapping[str, Any]) -> str:
    return str(item["metadata"]["name"])


def label_of(item: Mapping[str, Any], key: str) -> str:
    return str((item["metadata"].get("labels") or {}).get(key, ""))


def container_statuses(pod: Mapping[str, Any]) -> list[Block]:
    """How each container of a pod is, those that only prepare it first."""
    status = pod.get("status") or {}
    return [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]


def leaving(item: Mapping[str, Any]) -> bool:
    return bool(item["metadata"].get("deletionTimestamp"))


def selector_of(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())
