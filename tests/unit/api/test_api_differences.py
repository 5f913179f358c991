# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api import differences


def route(version: str) -> dict[str, Any]:
    return {"destination": {"host": "app", "subset": version}}


def server(name: str) -> dict[str, Any]:
    """Of a Gateway."""
    return {"port": {"name": name}, "hosts": ["*"]}


MORE = "and 1 more"
LIVE: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {
        "name": "a",
        "uid": "1",
        "resourceVersion": "5",
        "generation": 2,
        "managedFields": [{"manager": "x"}],
        "annotations": {"roost.cluster/image": "a:1"},
    },
    "spec": {
        "replicas": 2,
        "containers": [{"name": "app", "image": "a"}],
        "list": [1],
        "routes": [route("v1"), route("v2")],
        "servers": [server("http"), server("https")],
    },
    "status": {"replicas": 2},
}


def altered(**changes: Any) -> dict[str, Any]:
    item = copy.deepcopy(LIVE)
    item["spec"].update(changes)
    return item


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (altered(), None),
        ({**LIVE, "status": {}, "metadata": {**LIVE["metadata"], "resourceVersion": "6"}}, None),
        (altered(containers=[]), "spec.containers[app]: removed"),
        (altered(containers=[]), "spec.containers[app]: removed"),
        (altered(routes=[route("v2"), route("v1")]), "the order in spec.routes: v1, v2 → v2, v1"),
        (altered(routes=[route("v1")]), "spec.routes[v2]: removed"),
        (altered(servers=[server("http")]), "spec.servers[https]: removed"),
        (altered(replicas=3), "spec.replicas: 2 → 3"),
        (altered(containers=[{"name": "app", "image": "b"}]), "spec.containers[app].image: a → b"),
        (altered(extra=1), "spec.extra: added 1"),
        (altered(list=[1, 2]), "spec.list: [1] → [1, 2]"),
        (altered(a=1, b=2, d=3, e=4), "spec.a: added 1; spec.b: added 2; spec.d: added 3; " + MORE),
    ],
)  # fmt: skip
def test_reasons(after: Any, reason: str | None) -> None:
    assert differences.reason(LIVE, after) == reason


def test_a_removed_annotation_is_named() -> None:
    after = copy.deepcopy(LIVE)
    after["metadata"]["annotations"] = {}
    assert differences.reason(LIVE, after) == (
        "metadata.annotations[roost.cluster/image]: removed a:1"
    )


@pytest.mark.parametrize(
    ("before", "said"), [({}, "the record is new"), ({"our/record": "1"}, "the record follows")]
)
def test_an_annotation_may_have_a_wording_of_its_own(before: dict[str, str], said: str) -> None:
    wording = {"our/record": ("the record is new", "the record follows")}
    old, new = copy.deepcopy(LIVE), copy.deepcopy(LIVE)
    old["metadata"]["annotations"] = before
    new["metadata"]["annotations"] = {"our/record": "2"}
    assert differences.reason(old, new, wording) == said
