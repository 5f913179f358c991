# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said of pods that don't become ready."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api import evidence
from ansible_collections.roost.cluster.plugins.module_utils.api.client import Refused

from tests.unit.api.stub import StubClient


def pod(name: str, ready: bool = False) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def waiting_pod(**state: Any) -> dict[str, Any]:
    item = pod("app-v2-abc-1")
    item["status"]["containerStatuses"] = [
        {"name": "app", "ready": False, "restartCount": 2, "state": state}
    ]
    return item


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"waiting": {"reason": "ErrImagePull", "message": "no"}}, "ErrImagePull: no"),
        ({"waiting": {"reason": "CrashLoopBackOff"}}, "container app: CrashLoopBackOff"),
        ({"terminated": {"reason": "Error", "exitCode": 1}}, "Error with code 1"),
        ({"running": {}}, "runs, but is not ready (2 restarts)"),
    ],
)  # fmt: skip
def test_a_container_says_why(state: Any, said: str) -> None:
    lines = evidence.pod_lines(waiting_pod(**state), lambda name, container: "last words")
    assert said in lines[0]
    assert lines[1] == "  | last words"


def test_a_pod_without_a_node_says_why() -> None:
    item = pod("app-v2-abc-1")
    item["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    ]
    assert evidence.pod_lines(item, lambda *_: "") == [
        "pod app-v2-abc-1 has no node: 0/3 nodes are available"
    ]


def event(name: str, minute: int) -> dict[str, Any]:
    return {
        "reason": "FailedCreate",
        "message": f"forbidden {minute}",
        "lastTimestamp": f"2026-01-01T00:{minute:02}:00Z",
        "involvedObject": {"kind": "ReplicaSet", "name": name},
    }


def test_events_of_these_deployments_only_the_last() -> None:
    events = [event("app-v2-5d", minute) for minute in range(9)] + [event("app-v20-1", 10)]
    lines = evidence.event_lines(events, ["app-v2"])
    assert len(lines) == 5
    assert lines[-1] == "event FailedCreate of ReplicaSet app-v2-5d: forbidden 8"


class Cluster(StubClient):
    pods = (waiting_pod(running={}), pod("app-v2-abc-2", ready=True), pod("other-1"))

    def log(self, namespace: str, pod: str, container: str, lines: int) -> str:
        return "Traceback\nValueError: no model"

    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> Any:
        if kind == "Pod":
            assert (namespace, selector) == ("digits", "part-of=digits")
            return self.pods
        assert (kind, namespace, fields) == ("Event", "digits", "type=Warning")
        return [event("app-v2-5d", 1)]


def gather(client: StubClient) -> list[str]:
    return evidence.gather(
        client,
        "digits",
        ["app-v2"],
        lambda pod: pod["metadata"]["name"].startswith("app-v2-"),
        "part-of=digits",
    )


def test_evidence_is_gathered_for_what_is_concerned_and_not_ready() -> None:
    lines = gather(Cluster())
    assert any("ValueError: no model" in line for line in lines)
    assert not any("abc-2" in line or "other-1" in line for line in lines)
    assert lines[-1] == "event FailedCreate of ReplicaSet app-v2-5d: forbidden 1"


def test_evidence_that_can_not_be_had_is_no_second_failure() -> None:
    class Closed(Cluster):
        def list(self, *_place: Any, **_fields: Any) -> Any:
            raise Refused(403, "events is forbidden")

    assert gather(Closed()) == ["nothing more is known: events is forbidden"]
