# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import survey

from tests.unit.api.stub import Block, StubClient

CONTROL_PLANE = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
DEAD = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
OWN = {"key": "example.org/gpu", "effect": "NoSchedule"}
WISH = {"key": "example.org/slow", "effect": "PreferNoSchedule"}


@pytest.mark.parametrize(
    ("taints", "workers"),
    [
        ([[CONTROL_PLANE], []], 1),
        ([[CONTROL_PLANE], [], []], 2),
        # What comes and goes while a worker is drained or down.
        ([[CONTROL_PLANE], [], [CORDONED], [DEAD, CORDONED]], 3),
        ([[CONTROL_PLANE], [], [OWN], [WISH]], 2),
        ([], 0),
    ],
)
def test_workers_are_the_nodes_that_take_pods(
    taints: list[list[dict[str, Any]]], workers: int
) -> None:
    class Cluster(StubClient):
        def list(
            self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
        ) -> list[Block]:
            assert kind == "Node"
            # The API leaves out what is empty.
            return [{"spec": {"taints": each} if each else {}} for each in taints]

    assert survey.workers(Cluster()) == workers
