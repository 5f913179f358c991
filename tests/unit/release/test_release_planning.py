# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.absent import NoCluster
from ansible_collections.roost.cluster.plugins.module_utils.api.client import Refused
from ansible_collections.roost.cluster.plugins.module_utils.release import plan, planning
from release_moves import run
from release_samples import block, digests, release, resolved
from release_world import CONTEXT, World

# Conditions that were awaited once are not awaited again.


def clusters(**least: int) -> dict[str, Any]:
    return {"pod_clusters": {"model-service": least}}


def weights(**versions: int) -> dict[str, Any]:
    return {"weights": {"host": "h", "versions": versions}}


@pytest.mark.parametrize(
    ("needed", "done", "left"),
    [
        ({"ready": ["a", "b"]}, {}, {"ready": ["a", "b"]}),
        ({"ready": ["a", "b"]}, {"ready": ["b", "c"]}, {"ready": ["a"]}),
        ({"ready": ["a"]}, {"ready": ["a"]}, {}),
        ({"ready": []}, {}, {}),
        (clusters(x=1, y=1), clusters(x=1), clusters(y=1)),
        (weights(a=90, b=10), weights(a=80, b=20), weights(a=90, b=10)),
        (weights(a=90, b=10), weights(a=90), weights(a=90, b=10)),
        ({"weights": {"host": "h"}}, {"weights": {"host": "h"}}, {}),
    ],
)  # fmt: skip
def test_what_is_left_to_wait_for(needed: Any, done: Any, left: Any) -> None:
    assert plan._minus(needed, done) == left


# A plan as the module returns it.


def test_a_first_plan() -> None:
    found = planning.plan(resolved(), World(), CONTEXT)
    rendered = found.rendered()
    assert [stage["name"] for stage in rendered["stages"]] == ["install", "weights"]
    assert rendered["stages"][0]["changes"][0] == "Namespace digits: new"
    assert len(rendered["stages"][0]["changes"]) == 20
    assert rendered["release"]["services"]["app"]["health_path"] == "/healthz"
    assert rendered["release"]["canary"] == {"version": "v2", "weight": 10}
    assert len(found.diff()) == len(found.changes)
    assert found.diff()[0]["before"] == ""
    json.dumps(rendered)


def test_a_second_plan_is_empty_and_still_says_what_holds() -> None:
    world = World()
    run(world, resolved())
    found = planning.plan(resolved(), world, CONTEXT)
    assert found.rendered()["stages"] == []
    assert found.diff() == []
    assert found.steady.keys() == {"ready", "weights", "pins"}


def test_the_last_stage_awaits_the_steady_state() -> None:
    world = World()
    run(world, resolved())
    found = planning.plan(resolved(canary=None), world, CONTEXT)
    last = found.rendered()["stages"][-1]
    assert last["state"] == "absent"
    assert found.steady.items() <= last["wait"].items()
    assert last["changes"][0] == "Deployment digits/app-v2: is not part of the release any more"


def test_a_diff_has_its_reason() -> None:
    world = World()
    run(world, resolved())
    services = block()["services"]
    services["app"]["replicas"] = 3
    (first, *_rest) = planning.plan(resolved(services=services), world, CONTEXT).diff()
    assert first["after_header"] == "Deployment digits/app-v1 (spec.replicas: 2 → 3)"
    assert "replicas: 2" in first["before"]
    assert "replicas: 3" in first["after"]
    assert "managedFields" not in first["before"]


def test_without_a_cluster_everything_is_new() -> None:
    found = planning.plan(resolved(), NoCluster(), CONTEXT)
    assert found.changes[0].as_dict() == {
        "what": "Namespace digits",
        "why": "new, because there is no cluster yet",
    }
    assert len(found.changes) == 21


def test_a_drift_is_put_right_with_a_reason() -> None:
    world = World()
    run(world, resolved())
    world.store["PeerAuthentication digits/default"]["spec"]["mtls"]["mode"] = "PERMISSIVE"
    (change,) = planning.plan(resolved(), world, CONTEXT).changes
    assert change.reason == "spec.mtls.mode: PERMISSIVE → STRICT"


def test_the_api_servers_refusal_names_the_object() -> None:
    class Strict(World):
        def dry_run(self, item: dict[str, Any]) -> dict[str, Any]:
            if item["kind"] == "Service":
                raise Refused(422, "spec.ports: Invalid value")
            return super().dry_run(item)

    with pytest.raises(Refused, match="Service digits/app was refused: spec.ports"):
        planning.plan(resolved(), Strict(), CONTEXT)


# Neighbours.


def test_an_object_of_somebody_else_is_not_taken_over() -> None:
    world = World()
    world.store["Service digits/app"] = {
        "kind": "Service",
        "metadata": {"name": "app", "namespace": "digits", "labels": {}},
    }
    with pytest.raises(
        planning.Rejected, match="Service digits/app exists already and was not made"
    ):
        planning.plan(resolved(), world, CONTEXT)


def test_a_namespace_may_be_there_already() -> None:
    world = World()
    world.apply({"kind": "Namespace", "metadata": {"name": "digits"}})
    (change, *_rest) = planning.plan(resolved(), world, CONTEXT).changes
    assert change.item == "Namespace digits"
    assert "metadata.labels[app.kubernetes.io/managed-by]: added roost" in change.reason


def test_a_release_is_not_moved() -> None:
    world = World()
    run(world, resolved())
    with pytest.raises(planning.Rejected, match="expected digits, where this release runs"):
        planning.plan(resolved(namespace="other"), world, CONTEXT)


@pytest.mark.parametrize(
    ("theirs", "ours", "taken"),
    [
        (["*"], ["*"], True),
        (["a.example"], ["*"], True),
        (["*.example"], ["a.example"], True),
        (["a.example"], ["*.example"], True),
        (["a.example"], ["b.example"], False),
        (["*.a.example"], ["*.b.example"], False),
    ],
)
def test_two_releases_share_the_gateway_by_host(theirs: Any, ours: Any, taken: bool) -> None:
    world = World()
    run(world, resolved(hosts=theirs))
    other = resolved(name="letters", namespace="letters", hosts=ours)
    if taken:
        with pytest.raises(planning.Rejected, match="digits/digits has these"):
            planning.plan(other, world, CONTEXT)
    else:
        assert planning.plan(other, world, CONTEXT).steps


def test_a_wrong_block_is_refused_with_all_its_problems() -> None:
    with pytest.raises(planning.Rejected) as rejected:
        planning.accept(block(stable="v9", extra=1), digests())
    assert "nothing was applied" in str(rejected.value)
    assert "release.stable: got the text 'v9'" in str(rejected.value)
    assert "release.extra" in str(rejected.value)


def test_the_sample_has_a_release() -> None:
    assert release().entry.name == "app"
