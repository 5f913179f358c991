# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which pods are there in name only, and whose they are."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.lost import (
    lost_pods,
    notes,
    owner_of,
)

from tests.unit.api.stub import StubClient

READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def pod(kind: str, owner: str, node: str, **metadata: Any) -> dict[str, Any]:
    owners = [{"controller": True, "kind": kind, "name": owner}]
    return {
        "metadata": {"name": f"{owner}-x", "ownerReferences": owners, **metadata},
        "spec": {"nodeName": node},
    }


class Nodes(StubClient):
    def __init__(self, down: str, *pods: dict[str, Any]) -> None:
        self.down, self.pods = down, pods

    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[dict[str, Any]]:
        if kind == "Pod":
            return list(self.pods)
        return [
            {"metadata": {"name": name}, "status": {} if name == self.down else READY}
            for name in ("control", "worker-1")
        ]


PODS = (
    pod("ReplicaSet", "app-v1-7d9f", "worker-1"),
    pod("ReplicaSet", "app-v1-7d9f", "control"),
    # It has been replaced on another node already.
    pod("ReplicaSet", "app-v1-7d9f", "worker-1", deletionTimestamp="2026-01-01T00:00:00Z"),
    pod("DaemonSet", "istio-cni-node", "worker-1"),
)


def test_only_pods_on_nodes_that_are_down_are_lost() -> None:
    lost = lost_pods(Nodes("worker-1", *PODS), "digits")
    assert lost == {"app-v1": ["worker-1"], "istio-cni-node": ["worker-1"]}
    assert len(notes(lost, ["app-v1", "app-v2"])) == 1
    assert lost_pods(Nodes("", *PODS), "digits") == {}


@pytest.mark.parametrize(
    ("owners", "workload"),
    [
        (None, ""),
        ([{"kind": "Node", "name": "control"}], ""),
        ([{"controller": True, "kind": "DaemonSet", "name": "kube-proxy"}], "kube-proxy"),
    ],
)
def test_whose_a_pod_is(owners: Any, workload: str) -> None:
    assert owner_of({"metadata": {"ownerReferences": owners}}) == workload
