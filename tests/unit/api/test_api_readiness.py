# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When nodes, pods and workloads count as ready, and what is said when they don't."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.readiness import (
    daemon_set_lacks,
    deployment_lacks,
    is_ready,
    node_lacks,
)


def node(**condition: str) -> dict[str, Any]:
    return {"metadata": {"name": "control"}, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("found", "lacks"),
    [
        (None, "has not registered"),
        ({"metadata": {"name": "control"}}, "has not reported yet"),
        (node(type="Ready", status="True"), None),
        (node(type="Ready", status="False", message="cni plugin not initialized"), "cni plugin"),
        (node(type="Ready", status="Unknown"), "is not Ready: Unknown"),
        (node(type="MemoryPressure", status="False"), "has not reported yet"),
    ],
)
def test_node_lacks(found: dict[str, Any] | None, lacks: str | None) -> None:
    text = node_lacks("control", found)
    assert text is None if lacks is None else lacks in str(text)


def daemon_set(generation: int = 1, **status: int) -> dict[str, Any]:
    return {"metadata": {"name": "flannel", "generation": generation}, "status": status}


FULL = {
    "observedGeneration": 1,
    "desiredNumberScheduled": 3,
    "updatedNumberScheduled": 3,
    "numberAvailable": 3,
}


@pytest.mark.parametrize(
    ("found", "lacks"),
    [
        (None, "doesn't exist"),
        (daemon_set(**FULL), None),
        (daemon_set(generation=2, **FULL), "has not seen the latest change"),
        (daemon_set(**{**FULL, "numberAvailable": 2}), "2 of 3 pods are ready"),
        (daemon_set(**{**FULL, "updatedNumberScheduled": 1}), "1 of 3 pods are made"),
        (daemon_set(observedGeneration=1), "0 of 0"),
    ],
)
def test_daemon_set_lacks(found: dict[str, Any] | None, lacks: str | None) -> None:
    text = daemon_set_lacks("flannel", found)
    assert text is None if lacks is None else lacks in str(text)


def deployment(replicas: int = 2, **status: int) -> dict[str, Any]:
    full = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "observedGeneration": 3}
    status = {key.rstrip("_"): value for key, value in status.items()}
    return {
        "metadata": {"name": "app-v2", "generation": 3},
        "spec": {"replicas": replicas},
        "status": {**full, **status},
    }


@pytest.mark.parametrize(
    ("item", "missing"),
    [
        (deployment(), None),
        (None, "doesn't exist"),
        (deployment(observedGeneration=2), "not seen the latest change"),
        (deployment(updatedReplicas=1), "1 of 2 pods are made from the latest template"),
        (deployment(availableReplicas=1), "1 of 2 pods are ready"),
        (deployment(replicas=3), "2 of 3 pods are made"),
        (deployment(replicas_=3), "1 pods of an older template"),
        ({**deployment(), "status": {}}, "not seen the latest change"),
    ],
)  # fmt: skip
def test_a_deployment_is_rolled_out(item: Any, missing: str | None) -> None:
    found = deployment_lacks("app-v2", item)
    assert (found is None) if missing is None else (missing in str(found))


def test_lost_pods_are_not_waited_for() -> None:
    assert deployment_lacks("app-v2", deployment(availableReplicas=1), lost=1) is None
    assert deployment_lacks("app-v2", deployment(availableReplicas=0), lost=1) is not None
    assert daemon_set_lacks("flannel", daemon_set(**{**FULL, "numberAvailable": 2}), lost=1) is None


READY = {"type": "Ready", "status": "True"}


@pytest.mark.parametrize(
    ("metadata", "conditions", "ready"),
    [
        ({}, [READY], True),
        ({}, [{"type": "PodScheduled", "status": "True"}, READY], True),
        ({}, [{"type": "Ready", "status": "Unknown"}], False),
        ({}, [{"type": "PodScheduled", "status": "True"}], False),
        ({}, None, False),
        ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, [READY], False),
    ],
)
def test_a_pod_is_ready_and_stays(metadata: Any, conditions: Any, ready: bool) -> None:
    assert is_ready({"metadata": metadata, "status": {"conditions": conditions}}) is ready
