# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Only objects that an apply would change are applied."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.client import Refused
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change
from ansible_collections.roost.cluster.plugins.module_utils.objects.applying import apply
from ansible_collections.roost.cluster.plugins.module_utils.objects.planning import outside, plan

from tests.unit.api.stub import StubClient


def config(name: str, value: str, **status: Any) -> dict[str, Any]:
    found = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "here"},
        "data": {"key": value},
    }
    return {**found, **({"status": status} if status else {})}


class FakeClient(StubClient):
    """Holds objects by name; a dry run answers with what was sent, and a status of its own."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = {item["metadata"]["name"]: item for item in objects}

    def get(self, item: dict[str, Any]) -> dict[str, Any] | None:
        return self.objects.get(item["metadata"]["name"])

    def dry_run(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["metadata"]["name"] == "kind-unknown":
            raise Refused(404, "no such kind")
        return {**item, "status": {"seen": "later"}}


def test_only_what_differs_is_returned_in_the_given_order() -> None:
    client = FakeClient(config("same", "1"), config("other", "1"))
    wanted = [
        config("new", "1"),
        config("same", "1"),
        config("other", "2"),
        config("kind-unknown", "1"),
    ]
    found = plan(client, wanted)
    assert [item["metadata"]["name"] for item, _ in found] == ["new", "other", "kind-unknown"]
    assert [change.reason for _, change in found] == ["new", "data.key: 1 → 2", "new"]


def test_a_status_that_moves_is_no_change() -> None:
    assert plan(FakeClient(config("same", "1", seen="before")), [config("same", "1")]) == []


class Recorder(StubClient):
    """Writes down what is applied, and refuses what is called wrong."""

    def __init__(self) -> None:
        self.applied: list[str] = []

    def apply(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["metadata"]["name"] == "wrong":
            raise Refused(422, "spec.port: Invalid value: 80")
        self.applied.append(item["kind"])
        return item


def planned(*kinds_and_names: tuple[str, str]) -> list[tuple[dict[str, Any], Change]]:
    return [
        (
            {**config(name, "1"), "kind": kind},
            Change(f"{kind} here/{name}", "new", None, None),
        )
        for kind, name in kinds_and_names
    ]


def test_a_kind_is_applied_after_those_before_it() -> None:
    client, done = Recorder(), list[Change]()
    wanted = planned(("Namespace", "a"), *(("ConfigMap", str(n)) for n in range(20)), ("Pod", "b"))
    apply(client, wanted, done)
    assert client.applied == ["Namespace", *["ConfigMap"] * 20, "Pod"]
    assert {change.item for change in done} == {change.item for _item, change in wanted}


def test_what_is_refused_is_named_and_nothing_after_it_is_applied() -> None:
    client, done = Recorder(), list[Change]()
    with pytest.raises(Refused) as refused:
        apply(client, planned(("Namespace", "a"), ("Service", "wrong"), ("Pod", "b")), done)
    assert str(refused.value) == "Service here/wrong was refused: spec.port: Invalid value: 80"
    assert [change.item for change in done] == ["Namespace here/a"]


class Nodes(StubClient):
    """Nodes by their names, each with its part of the pod network; one has none yet."""

    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[dict[str, Any]]:
        parts = {"control": "10.244.0.0/24", "worker-1": "10.244.1.0/24", "worker-2": None}
        return [
            {"metadata": {"name": name}, "spec": {"podCIDR": part} if part else {}}
            for name, part in parts.items()
        ]


def test_the_pod_network_is_the_one_that_nodes_have_parts_of() -> None:
    assert outside(Nodes(), "10.244.0.0/16") == ""
    told = outside(Nodes(), "10.244.1.0/24")
    assert "found 10.244.1.0/24, expected one with the parts that nodes have" in told
    assert "10.244.0.0/24 of control; it is what the control plane was made with" in told
    assert "worker" not in told
