# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.verify.cluster import Wanted
from ansible_collections.roost.cluster.plugins.module_utils.verify.kube import (
    ApiError,
    Executed,
    executed,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.observe import observe
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import target

from tests.unit.traffic.fake_app import release

WANTED = Wanted((), (), None, (), target(release()))
NO_FILE = Executed(None, "executable file not found in $PATH", missing=True)


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


class FakeApi:
    def __init__(self, pods: list[dict[str, Any]], answers: dict[str, Executed]) -> None:
        self.pods = pods
        self.answers = answers
        self.asked: list[str] = []
        self.commands: list[tuple[str, str, str]] = []

    def get(self, path: str) -> dict[str, Any]:
        return {"items": self.pods if path == "/api/v1/pods" else []}

    def raw(self, path: str) -> tuple[int, str]:
        self.asked.append(path)
        return (200, "") if "15021" in path else (503, "error trying to reach service: EOF")

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> Executed:
        self.commands.append((pod, container, command[0]))
        return self.answers[command[0]]


def test_asks_a_pod_of_each_service_in_plain_text_and_one_for_a_name() -> None:
    api = FakeApi([pod("app"), pod("model-service")], {"python3": Executed(0, "10.96.0.20")})
    snapshot = observe(api, WANTED)
    assert [probe.service for probe in snapshot.plain] == ["app", "model-service"]
    assert "/api/v1/namespaces/digits/pods/app-1:9090/proxy/" in api.asked
    assert api.commands == [("app-1", "app", "python3")]
    assert snapshot.resolved == ("python3", Executed(0, "10.96.0.20"))


def test_without_python_getent_resolves() -> None:
    api = FakeApi([pod("app")], {"python3": NO_FILE, "getent": Executed(0, "10.96.0.20 m")})
    assert observe(api, WANTED).resolved == ("getent", Executed(0, "10.96.0.20 m"))


def test_without_pods_nothing_is_asked() -> None:
    snapshot = observe(FakeApi([], {}), WANTED)
    assert (snapshot.resolved, snapshot.plain) == (None, ())


def test_an_api_error_comes_through() -> None:
    class Broken(FakeApi):
        def get(self, path: str) -> dict[str, Any]:
            raise ApiError("down")

    with pytest.raises(ApiError, match="down"):
        observe(Broken([], {}), replace(WANTED, version="1"))


@pytest.mark.parametrize(
    ("status", "output", "expected"),
    [
        ({"metadata": {}, "status": "Success"}, "10.96.0.20\n", Executed(0, "10.96.0.20\n")),
        (
            {
                "status": "Failure",
                "reason": "NonZeroExitCode",
                "message": "command terminated with non-zero exit code",
                "details": {"causes": [{"reason": "ExitCode", "message": "2"}]},
            },
            "no such name",
            Executed(2, "no such name"),
        ),
        (
            {
                "status": "Failure",
                "reason": "InternalError",
                "message": 'exec: "python3": executable file not found in $PATH: unknown',
            },
            "",
            Executed(
                None, 'exec: "python3": executable file not found in $PATH: unknown', missing=True
            ),
        ),
    ],
)
def test_the_end_of_an_exec(status: dict[str, Any], output: str, expected: Executed) -> None:
    assert executed(json.dumps(status), output) == expected


def test_an_exec_without_an_end() -> None:
    assert executed("", "") == Executed(None, "no end within 10 s")
