# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who steers a release: the Lease beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import names

RENEW_SECONDS = 5
STALE_SECONDS = 30
# Tells two runs of one person on one machine apart.
SESSION_ANNOTATION = "roost.cluster/session"
_MICROTIME = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Holder:
    who: str
    session: str
    since: str
    renewed: str

    def __str__(self) -> str:
        return f"{self.who} since {self.since}"


def lease(release: str, namespace: str) -> Block:
    """The object without a holder."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": names.rollout_name(release),
            "namespace": namespace,
            "labels": names.common_labels(release),
        },
        "spec": {},
    }


def held_by(found: Mapping[str, Any] | None) -> Holder | None:
    """Who holds it, alive or not."""
    spec = (found or {}).get("spec") or {}
    if found is None or not spec.get("holderIdentity"):
        return None
    annotations = found["metadata"].get("annotations") or {}
    return Holder(
        spec["holderIdentity"],
        annotations.get(SESSION_ANNOTATION, ""),
        str(spec.get("acquireTime", "")),
        str(spec.get("renewTime", "")),
    )


def seconds_since(time: str, now: datetime) -> float:
    """Since a time of the Lease, by the clocks of whoever wrote it and of this machine."""
    try:
        then = datetime.strptime(time, _MICROTIME).replace(tzinfo=timezone.utc)
    except ValueError:
        return float(STALE_SECONDS)
    return (now - then).total_seconds()


def alive(found: Mapping[str, Any] | None, now: datetime) -> Holder | None:
    """Who holds it and has renewed it lately."""
    holder = held_by(found)
    if holder is None or seconds_since(holder.renewed, now) >= STALE_SECONDS:
        return None
    return holder


def written(now: datetime) -> str:
    return now.astimezone(timezone.utc).strftime(_MICROTIME)
