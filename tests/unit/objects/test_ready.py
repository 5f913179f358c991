# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When nodes and workloads count as ready, and what is said when they don't become it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.objects.ready import (
    Wanted,
    daemon_set_lacks,
    look,
    node_lacks,
    wait,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.cluster import Unreachable


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


class FakeCluster:
    """Answers lists from objects; the first answers may be an API server that is away."""

    def __init__(self, objects: dict[str, list[dict[str, Any]]], away: int = 0) -> None:
        self.objects, self.away = objects, away

    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[dict[str, Any]]:
        if self.away:
            self.away -= 1
            raise Unreachable("the API server doesn't answer")
        return self.objects.get(kind, [])

    def log(self, namespace: str, pod: str, container: str, lines: int) -> str:
        return "the container's last line"


WANTED = Wanted(nodes=["control"], namespace="kube-flannel", daemon_sets=["flannel"])
READY = {"Node": [node(type="Ready", status="True")], "DaemonSet": [daemon_set(**FULL)]}


def test_everything_named_is_looked_at() -> None:
    assert look(FakeCluster(READY), WANTED) == []  # type: ignore[arg-type]
    assert look(FakeCluster({}), WANTED) == [  # type: ignore[arg-type]
        "node control has not registered",
        "DaemonSet flannel doesn't exist",
    ]


def test_an_api_server_that_is_away_is_waited_for() -> None:
    outcome = wait(FakeCluster(READY, away=2), WANTED, timeout=5, pause=0)  # type: ignore[arg-type]
    assert outcome.missing == []


def test_when_the_time_is_up_the_pods_are_asked_for_the_reason() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "not found"}
    pod = {
        "metadata": {"name": "flannel-x2x4b"},
        "status": {"containerStatuses": [{"name": "flannel", "state": {"waiting": waiting}}]},
    }
    cluster = FakeCluster({**READY, "DaemonSet": [], "Pod": [pod]})
    outcome = wait(cluster, WANTED, timeout=0)  # type: ignore[arg-type]
    assert outcome.missing == ["DaemonSet flannel doesn't exist"]
    assert "ImagePullBackOff: not found" in outcome.why[0]
    assert "the container's last line" in outcome.why[1]
