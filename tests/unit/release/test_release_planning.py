# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    differences,
    images,
    plan,
    planning,
    resolving,
    survey,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.cluster import Refused
from release_samples import block, digest, digests, lock, release, resolved, tag
from release_world import CONTEXT, Observed
from test_release_stages import run

# Images.


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("roost.internal/digits-app:v1", ("roost.internal/digits-app", "v1", None)),
        ("localhost:5000/a/b:1.2_3-x", ("localhost:5000/a/b", "1.2_3-x", None)),
        (f"a@{digest('a')}", ("a", None, digest("a"))),
        (f"a:1@{digest('a')}", ("a", "1", digest("a"))),
    ],
)
def test_references_are_read(reference: str, expected: Any) -> None:
    found = images.parse(reference)
    assert found is not None
    assert (found.name, found.tag, found.digest) == expected


@pytest.mark.parametrize(
    "reference", ["a", "a:", "a/b", "A:1", "a:1 ", "a@sha256:12", "http://a:1", "", None, 1, "a:-x"]
)
def test_what_is_no_reference(reference: Any) -> None:
    assert images.parse(reference) is None


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("me/app", "docker.io/me/app"),
        ("localhost/app", "localhost/app"),
        ("quay.io/me/app", "quay.io/me/app"),
    ],
)
def test_short_names(short: str, full: str) -> None:
    assert images.canonical(short) == full


def test_tags_become_digests_and_digests_stay() -> None:
    pinned = f"a/model@{digest('m')}"
    versions = block()["versions"]
    versions["v2"]["model-service"] = pinned
    found = planning.accept(block(versions=versions), digests())
    assert found["versions"]["v1"]["app"] == f"{tag('app', 'v1')}@{digest(tag('app', 'v1'))}"
    assert found["versions"]["v2"]["model-service"] == pinned
    assert {key: found[key] for key in found if key != "versions"} == {
        key: value for key, value in block().items() if key != "versions"
    }


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (images.lock_digests(lock("v1", "v3")), "the bundle has roost.internal/digits-app:v"),
        ({}, "make image IMAGE=roost.internal/digits-app:v2"),
        (None, "without a bundle no tag can be resolved"),
    ],
)
def test_an_image_that_the_bundle_lacks_is_refused(known: Any, said: str) -> None:
    with pytest.raises(planning.Rejected) as rejected:
        planning.accept(block(), known)
    found = [item for item in rejected.value.problems if item.key == "versions.v2.app"]
    assert said in str(found[0])


def test_two_tags_of_the_same_image_are_refused() -> None:
    known = dict.fromkeys(digests(), digest("same"))
    with pytest.raises(planning.Rejected, match="at least one image that differs"):
        planning.accept(block(), known)


def test_the_lock_is_read(tmp_path: Path) -> None:
    file = tmp_path / "bundle.lock"
    file.write_text(json.dumps(lock("v1")), encoding="utf-8")
    assert resolving.read_lock(str(file)) == {
        tag("app", "v1"): digest(tag("app", "v1")),
        tag("model-service", "v1"): digest(tag("model-service", "v1")),
    }
    assert resolving.read_lock(None) is None
    assert resolving.read_lock("") is None


@pytest.mark.parametrize(("text", "said"), [(None, "fill the bundle"), ("{", "is not JSON")])
def test_a_lock_that_can_not_be_read_is_named(tmp_path: Path, text: Any, said: str) -> None:
    file = tmp_path / "bundle.lock"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(resolving.Unusable, match=said):
        resolving.read_lock(str(file))


# Reasons.

LIVE = {
    "kind": "Deployment",
    "metadata": {
        "name": "a",
        "uid": "1",
        "resourceVersion": "5",
        "generation": 2,
        "managedFields": [{"manager": "x"}],
        "annotations": {"roost.cluster/image": "a:1"},
    },
    "spec": {"replicas": 2, "containers": [{"name": "app", "image": "a"}], "list": [1]},
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
        (altered(replicas=3), "spec.replicas: 2 → 3"),
        (altered(containers=[{"name": "app", "image": "b"}]), "spec.containers[app].image: a → b"),
        (altered(extra=1), "spec.extra: added 1"),
        (altered(list=[1, 2]), "spec.list: [1] → [1, 2]"),
        (altered(a=1, b=2, c=3, d=4), "spec.a: added 1; spec.b: added 2; spec.c: added 3; and 1 more"),
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


# Conditions that were awaited once are not awaited again.


@pytest.mark.parametrize(
    ("needed", "done", "left"),
    [
        ({"ready": ["a", "b"]}, {}, {"ready": ["a", "b"]}),
        ({"ready": ["a", "b"]}, {"ready": ["b", "c"]}, {"ready": ["a"]}),
        ({"ready": ["a"]}, {"ready": ["a"]}, {}),
        ({"ready": []}, {}, {}),
        ({"pod_clusters": {"m": {"x": 1, "y": 1}}}, {"pod_clusters": {"m": {"x": 1}}}, {"pod_clusters": {"m": {"y": 1}}}),
        ({"weights": {"host": "h", "versions": {"a": 9}}}, {"weights": {"host": "h", "versions": {"a": 8}}}, {"weights": {"host": "h", "versions": {"a": 9}}}),
        ({"weights": {"host": "h"}}, {"weights": {"host": "h"}}, {}),
    ],
)  # fmt: skip
def test_what_is_left_to_wait_for(needed: Any, done: Any, left: Any) -> None:
    assert plan._minus(needed, done) == left


# A plan as the module returns it.


def test_a_first_plan() -> None:
    found = planning.plan(resolved(), Observed(), CONTEXT)
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
    world = Observed()
    run(world, resolved())
    found = planning.plan(resolved(), world, CONTEXT)
    assert found.rendered()["stages"] == []
    assert found.diff() == []
    assert found.steady.keys() == {"ready", "weights", "pins"}


def test_the_last_stage_awaits_the_steady_state() -> None:
    world = Observed()
    run(world, resolved())
    found = planning.plan(resolved(canary=None), world, CONTEXT)
    last = found.rendered()["stages"][-1]
    assert last["state"] == "absent"
    assert found.steady.items() <= last["wait"].items()
    assert last["changes"][0] == "Deployment digits/app-v2: is not part of the release any more"


def test_a_diff_has_its_reason() -> None:
    world = Observed()
    run(world, resolved())
    services = block()["services"]
    services["app"]["replicas"] = 3
    (first, *_rest) = planning.plan(resolved(services=services), world, CONTEXT).diff()
    assert first["after_header"] == "Deployment digits/app-v1 (spec.replicas: 2 → 3)"
    assert "replicas: 2" in first["before"]
    assert "replicas: 3" in first["after"]
    assert "managedFields" not in first["before"]


def test_without_a_cluster_everything_is_new() -> None:
    found = planning.plan(resolved(), survey.NoCluster(), CONTEXT)
    assert {change.reason for change in found.changes} >= {"new"}
    assert len(found.changes) == 21


def test_a_drift_is_put_right_with_a_reason() -> None:
    world = Observed()
    run(world, resolved())
    world.store["PeerAuthentication digits/default"]["spec"]["mtls"]["mode"] = "PERMISSIVE"
    (change,) = planning.plan(resolved(), world, CONTEXT).changes
    assert change.reason == "spec.mtls.mode: PERMISSIVE → STRICT"


def test_the_api_servers_refusal_names_the_object() -> None:
    class Strict(Observed):
        def dry_run(self, item: dict[str, Any]) -> dict[str, Any]:
            if item["kind"] == "Service":
                raise Refused(422, "spec.ports: Invalid value")
            return super().dry_run(item)

    with pytest.raises(Refused, match="Service digits/app was refused: spec.ports"):
        planning.plan(resolved(), Strict(), CONTEXT)


# Neighbours.


def test_an_object_of_somebody_else_is_not_taken_over() -> None:
    world = Observed()
    world.store["Service digits/app"] = {
        "kind": "Service",
        "metadata": {"name": "app", "namespace": "digits", "labels": {}},
    }
    with pytest.raises(planning.Rejected, match="Service digits/app exists already and was not made"):
        planning.plan(resolved(), world, CONTEXT)


def test_a_namespace_may_be_there_already() -> None:
    world = Observed()
    world.apply({"kind": "Namespace", "metadata": {"name": "digits"}})
    (change, *_rest) = planning.plan(resolved(), world, CONTEXT).changes
    assert change.item == "Namespace digits"
    assert "metadata.labels: added" in change.reason


def test_a_release_is_not_moved() -> None:
    world = Observed()
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
    world = Observed()
    run(world, resolved(hosts=theirs))
    other = resolved(name="letters", namespace="letters", hosts=ours)
    if taken:
        with pytest.raises(planning.Rejected, match=r"hosts: got .* digits/digits has these"):
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
