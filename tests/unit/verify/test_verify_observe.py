# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.client import ApiError
from ansible_collections.roost.cluster.plugins.module_utils.api.execution import Executed
from ansible_collections.roost.cluster.plugins.module_utils.verify.cluster import Wanted
from ansible_collections.roost.cluster.plugins.module_utils.verify.observe import observe
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import target

from tests.unit.api.stub import StubClient
from tests.unit.traffic.fake_app import release

WANTED = Wanted((), (), None, (), target(release()))
NO_FILE = Executed(None, "", "executable file not found in $PATH", missing=True)


def pod(service: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "digits", "name": f"{service}-1", "labels": {"app": service}},
        "spec": {
            "containers": [
                {"name": "istio-proxy"},
                {"name": service, "ports": [{"containerPort": 9090}]},
            ]
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


class FakeClient(StubClient):
    def __init__(self, pods: list[dict[str, Any]], answers: dict[str, Executed]) -> None:
        self.pods = pods
        self.answers = answers
        self.asked: list[tuple[str, str, int, str]] = []
        self.commands: list[tuple[str, str, str]] = []

    def ask_pod(self, namespace: str, pod: str, port: int, path: str) -> tuple[int, str]:
        self.asked.append((namespace, pod, port, path))
        return (200, "") if port == 15021 else (503, "error trying to reach service: EOF")

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> Executed:
        self.commands.append((pod, container, command[0]))
        return self.answers[command[0]]

    def list(self, kind: str, *_place: Any, **_fields: Any) -> Any:
        return self.pods if kind == "Pod" else []


def test_asks_a_pod_of_each_service_in_plain_text_and_one_for_a_name() -> None:
    client = FakeClient([pod("app"), pod("model-service")], {"python3": Executed(0, "10.96.0.20")})
    snapshot = observe(client, WANTED)
    assert [probe.service for probe in snapshot.plain] == ["app", "model-service"]
    assert ("digits", "app-1", 9090, "") in client.asked
    assert ("digits", "app-1", 15021, "healthz/ready") in client.asked
    assert client.commands == [("app-1", "app", "python3")]
    assert snapshot.resolved == ("python3", Executed(0, "10.96.0.20"))


def test_without_python_getent_resolves() -> None:
    client = FakeClient([pod("app")], {"python3": NO_FILE, "getent": Executed(0, "10.96.0.20 m")})
    assert observe(client, WANTED).resolved == ("getent", Executed(0, "10.96.0.20 m"))


def test_without_pods_nothing_is_asked() -> None:
    snapshot = observe(FakeClient([], {}), WANTED)
    assert (snapshot.resolved, snapshot.plain) == (None, ())


def test_an_api_error_comes_through() -> None:
    class Broken(FakeClient):
        def list(self, *_place: Any, **_fields: Any) -> Any:
            raise ApiError("down")

    with pytest.raises(ApiError, match="down"):
        observe(Broken([], {}), replace(WANTED, version="1"))
