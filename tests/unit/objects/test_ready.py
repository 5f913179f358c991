# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a wait for nodes and workloads looks at, and what it says when they don't become ready."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.client import Refused, Unreachable
from ansible_collections.roost.cluster.plugins.module_utils.objects.ready import (
    Wanted,
    look,
    wait,
)

from tests.unit.api.stub import StubClient

READY_NODE = {
    "metadata": {"name": "control"},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}
FULL = {
    "metadata": {"name": "flannel", "generation": 1},
    "status": {
        "observedGeneration": 1,
        "desiredNumberScheduled": 3,
        "updatedNumberScheduled": 3,
        "numberAvailable": 3,
    },
}


class FakeClient(StubClient):
    """Answers lists from objects; the first answers may be an API server that is away."""

    def __init__(self, objects: dict[str, list[dict[str, Any]]], away: int = 0) -> None:
        self.objects, self.away = objects, away

    def log(self, namespace: str, pod: str, container: str, lines: int) -> str:
        return "the container's last line"

    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[dict[str, Any]]:
        if self.away:
            self.away -= 1
            raise Unreachable("the API server doesn't answer")
        return self.objects.get(kind, [])


WANTED = Wanted(nodes=["control"], namespace="kube-flannel", daemon_sets=["flannel"])
READY = {"Node": [READY_NODE], "DaemonSet": [FULL]}


def test_everything_named_is_looked_at() -> None:
    assert look(FakeClient(READY), WANTED) == []
    assert look(FakeClient({}), WANTED) == [
        "node control has not registered",
        "DaemonSet flannel doesn't exist",
    ]


def test_an_api_server_that_is_away_is_waited_for() -> None:
    outcome = wait(FakeClient(READY, away=2), WANTED, timeout=5, pause=0)
    assert outcome.missing == []


def test_pods_of_a_node_that_is_down_are_told_of_and_not_waited_for() -> None:
    down = {"metadata": {"name": "worker-1"}, "status": {"conditions": []}}
    owner = {"controller": True, "kind": "DaemonSet", "name": "flannel"}
    pod = {
        "metadata": {"name": "flannel-a", "ownerReferences": [owner]},
        "spec": {"nodeName": "worker-1"},
    }
    part = {**FULL, "status": {**FULL["status"], "numberAvailable": 2}}
    client = FakeClient({"Node": [READY_NODE, down], "DaemonSet": [part], "Pod": [pod]})
    outcome = wait(client, WANTED, timeout=0)
    assert outcome.missing == []
    [note] = outcome.notes
    assert "flannel: 1 pods" in note
    assert note.endswith("worker-1")
    # A node that is asked for has to be there.
    asked = Wanted(nodes=["control", "worker-1"], namespace="x", daemon_sets=["flannel"])
    assert look(client, asked) == ["node worker-1 has not reported yet"]


def test_when_the_time_is_up_the_pods_are_asked_for_the_reason() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "not found"}
    pod = {
        "metadata": {"name": "flannel-x2x4b"},
        "status": {"containerStatuses": [{"name": "flannel", "state": {"waiting": waiting}}]},
    }
    client = FakeClient({**READY, "DaemonSet": [], "Pod": [pod]})
    outcome = wait(client, WANTED, timeout=0)
    assert outcome.missing == ["DaemonSet flannel doesn't exist"]
    assert "ImagePullBackOff: not found" in outcome.why[0]
    assert "the container's last line" in outcome.why[1]


def validator(**changes: Any) -> dict[str, Any]:
    webhook = {"clientConfig": {"caBundle": "…"}, "failurePolicy": "Fail", **changes}
    return {"metadata": {"name": "istiod"}, "webhooks": [webhook]}


@pytest.mark.parametrize(
    ("live", "missing"),
    [
        ([validator()], []),
        ([], ["ValidatingWebhookConfiguration istiod doesn't exist"]),
        ([validator(clientConfig={})], ["istiod: the API server has no certificate for it yet"]),
        (
            [validator(failurePolicy="Ignore")],
            ["istiod: what it can't be asked about is let through"],
        ),
    ],
)
def test_a_webhook_is_ready_when_it_is_asked_about_everything(
    live: list[dict[str, Any]], missing: list[str]
) -> None:
    client = FakeClient({"ValidatingWebhookConfiguration": live})
    assert look(client, Wanted(validators=["istiod"])) == missing


def test_a_webhook_that_does_not_answer_is_waited_for() -> None:
    """Its pods are called ready for a while after their nodes were started again."""
    probe = {"kind": "PeerAuthentication", "metadata": {"name": "probe"}}

    class Client(FakeClient):
        answers = 2

        def dry_run(self, item: dict[str, Any]) -> dict[str, Any]:
            assert item == probe
            self.answers -= 1
            if self.answers >= 0:
                raise Refused(500, "failed calling webhook: no route to host")
            return item

    wanted = Wanted(nodes=["control"], probe=probe)
    assert look(Client({}), wanted) == ["node control has not registered"]
    assert look(Client(READY), wanted) == ["failed calling webhook: no route to host"]
    client = Client(READY)
    assert wait(client, wanted, timeout=5, pause=0).missing == []
    assert client.answers == -1
