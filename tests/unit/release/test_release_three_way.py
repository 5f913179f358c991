# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    live,
    names,
    objects,
    planning,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.live import Live
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Canary
from ansible_collections.roost.cluster.plugins.module_utils.release.three_way import Merged, merge
from release_moves import run
from release_samples import resolved, tag
from release_world import CONTEXT, World

REPLICAS = {
    (service, version): 2 for service in ("app", "model-service") for version in ("v1", "v2")
}


def lived(stable: str = "v1", canary: tuple[str, int] | None = ("v2", 37), **other: Any) -> Live:
    """What runs after somebody moved the weight to 37."""
    images = {
        version: dict(pair)
        for version, pair in resolved()["versions"].items()
        if version in (stable, canary and canary[0])
    }
    images.update(other.get("images", {}))
    return Live(
        stable, Canary(*canary) if canary else None, images, other.get("replicas", REPLICAS)
    )


def with_replicas(count: int) -> dict[str, Any]:
    services = copy.deepcopy(resolved()["services"])
    services["app"]["replicas"] = count
    return {"services": services}


V3 = {"canary": {"version": "v3", "weight": 10}}
AT = {weight: {"canary": {"version": "v2", "weight": weight}} for weight in (10, 20, 37)}
PROMOTED = {"stable": "v2", "canary": None}


@pytest.mark.parametrize(
    ("file", "record", "now", "stable", "canary"),
    [
        # Nothing edited: live stays, whatever it is.
        ({}, {}, lived(), "v1", ("v2", 37)),
        ({}, {}, lived(canary=("v2", 0)), "v1", ("v2", 0)),
        ({}, {}, lived(canary=None), "v1", None),
        ({}, {}, lived("v2", None), "v2", None),
        ({}, {}, lived(canary=("v3", 25)), "v1", ("v3", 25)),
        (PROMOTED, PROMOTED, lived("v2", ("v3", 5)), "v2", ("v3", 5)),
        # Another key edited: the weight that was moved by hand stays.
        (with_replicas(3), {}, lived(), "v1", ("v2", 37)),
        # The weight edited: it is applied.
        (AT[20], {}, lived(), "v1", ("v2", 20)),
        # Edited to what is live already.
        (AT[37], {}, lived(), "v1", ("v2", 37)),
        (PROMOTED, {}, lived("v2", None), "v2", None),
        (V3, {}, lived(canary=("v3", 25)), "v1", ("v3", 25)),
        # The canary removed, added, replaced. A weight belongs to its version.
        ({"canary": None}, {}, lived(), "v1", None),
        ({}, {"canary": None}, lived(canary=None), "v1", ("v2", 10)),
        (V3, {}, lived(), "v1", ("v3", 10)),
        # Stable and canary changed places.
        ({"stable": "v2", "canary": {"version": "v1", "weight": 5}}, {}, lived(), "v2", ("v1", 5)),
        # Promoted on the cluster; the file goes on to the next canary without knowing it.
        (V3, {}, lived("v2", None), "v2", ("v3", 10)),
        # No record: as on a first run.
        ({}, None, lived(), "v1", ("v2", 10)),
    ],
)
def test_each_key_is_merged_three_ways(
    file: Any, record: Any, now: Live, stable: str, canary: tuple[str, int] | None
) -> None:
    merged = merge(resolved(**file), None if record is None else resolved(**record), now)
    assert merged.problems == []
    assert merged.block["stable"] == stable
    found = merged.block.get("canary")
    assert (found and (found["version"], found["weight"])) == canary


def test_without_anything_live_the_file_is_taken() -> None:
    merged = merge(resolved(), None, None)
    assert merged == Merged(resolved())


@pytest.mark.parametrize(
    ("file", "now", "hint"),
    [
        (AT[20], lived("v2", None), "was promoted or rolled back on the cluster"),
        (AT[20], lived(canary=None), "was promoted or rolled back on the cluster"),
        (AT[20], lived(canary=("v3", 5)), "which the cluster has left behind"),
    ],
)
def test_a_weight_for_a_canary_that_is_not_live_is_refused(file: Any, now: Live, hint: str) -> None:
    (problem,) = merge(resolved(**file), resolved(), now).problems
    assert problem.key == "canary.weight"
    assert hint in str(problem)


def test_what_differs_is_told() -> None:
    notes = merge(resolved(), resolved(), lived()).notes
    assert notes == [
        "live differs from the file: canary.weight is 37, the file says 10; "
        "live stays, because the file was not edited"
    ]


def test_an_edit_is_told() -> None:
    notes = merge(resolved(**AT[20]), resolved(), lived()).notes
    assert notes == ["edited in the file: canary.weight is 37, becomes 20"]


def test_an_edit_that_is_live_already_says_nothing() -> None:
    assert merge(resolved(**AT[37]), resolved(), lived()).notes == []


def test_a_count_that_was_changed_on_the_cluster_stays() -> None:
    now = lived(replicas={**REPLICAS, ("app", "v1"): 5})
    merged = merge(resolved(), resolved(), now)
    assert merged.scaled == {("app", "v1"): 5}
    assert "services.app.replicas of v1 is 5, the file says 2" in merged.notes[-1]


def test_an_edited_count_is_applied() -> None:
    now = lived(replicas={**REPLICAS, ("app", "v1"): 5})
    assert merge(resolved(**with_replicas(3)), resolved(), now).scaled == {}


def test_a_version_that_was_scaled_to_nothing_gets_its_pods_back() -> None:
    now = lived(replicas={**REPLICAS, ("app", "v1"): 0})
    assert merge(resolved(), resolved(), now).scaled == {}


def test_an_image_that_was_changed_on_the_cluster_stays() -> None:
    other = {**resolved()["versions"]["v2"], "app": f"a/b@sha256:{'1' * 64}"}
    merged = merge(resolved(), resolved(), lived(images={"v2": other}))
    assert merged.block["versions"]["v2"]["app"] == other["app"]


def test_a_tag_that_means_another_image_now_is_an_edit() -> None:
    """The bundle was built again: the file is the same, what it stands for is not."""
    old = resolved()
    reference = tag("app", "v1")
    old["versions"]["v1"]["app"] = f"{reference}@sha256:{'1' * 64}"
    merged = merge(resolved(), old, lived(images={"v1": old["versions"]["v1"]}))
    assert merged.block["versions"]["v1"] == resolved()["versions"]["v1"]


def test_a_version_that_only_the_cluster_knows_goes_on() -> None:
    two = {key: pair for key, pair in resolved()["versions"].items() if key != "v3"}
    file = {**resolved(), "versions": two}
    merged = merge(file, file, lived(canary=("v3", 25)))
    assert merged.block["versions"]["v3"] == resolved()["versions"]["v3"]
    assert merged.problems == []


def test_a_version_that_nobody_knows_is_refused() -> None:
    two = {key: pair for key, pair in resolved()["versions"].items() if key != "v3"}
    file = {**resolved(), "versions": two}
    now = Live("v1", Canary("v3", 25), {"v1": resolved()["versions"]["v1"]}, {})
    (problem,) = merge(file, file, now).problems
    assert problem.key == "versions.v3"


# The same on a whole cluster.


def weight_in(world: World) -> list[tuple[str, int]]:
    return live.weights_of(world.store["VirtualService digits/digits-gateway"])


def move_weight(world: World, weight: int) -> None:
    """What `kubectl edit` does."""
    route = world.store["VirtualService digits/digits-gateway"]
    route = copy.deepcopy(route)
    stable, canary = route["spec"]["http"][0]["route"]
    stable["weight"], canary["weight"] = 100 - weight, weight
    route["metadata"]["resourceVersion"] = "moved"
    world.store["VirtualService digits/digits-gateway"] = route


def test_a_second_run_while_the_canary_stands_at_37_changes_nothing() -> None:
    world = World()
    run(world, resolved())
    move_weight(world, 37)
    plan = planning.plan(resolved(), world, CONTEXT)
    assert plan.steps == []
    assert any("canary.weight is 37" in note for note in plan.notes)
    assert plan.steady["weights"]["versions"] == {"v1": 63, "v2": 37}


def test_an_edit_of_replicas_never_touches_a_weight_that_was_moved() -> None:
    world = World()
    run(world, resolved())
    move_weight(world, 37)
    steps = run(world, resolved(**with_replicas(3)))
    assert weight_in(world) == [("v1", 63), ("v2", 37)]
    assert world.store["Deployment digits/app-v2"]["spec"]["replicas"] == 3
    assert live.record_of(world.store["VirtualService digits/digits-gateway"]) == resolved(
        **with_replicas(3)
    )
    assert [change.item for step in steps for change in step.changes] == [
        "Deployment digits/app-v1",
        "Deployment digits/app-v2",
        "VirtualService digits/digits-gateway",
    ]
    assert planning.plan(resolved(**with_replicas(3)), world, CONTEXT).steps == []


def test_an_edit_that_is_live_already_only_updates_the_record() -> None:
    world = World()
    run(world, resolved())
    move_weight(world, 37)
    (step,) = run(world, resolved(**AT[37]))
    (change,) = step.changes
    assert change.reason == "the record of the release block follows the file"
    assert weight_in(world) == [("v1", 63), ("v2", 37)]


def test_a_file_that_is_right_alone_and_wrong_with_the_cluster_is_refused() -> None:
    """v2 was promoted on the cluster, and the file makes it the canary."""
    world = World()
    run(world, resolved(**PROMOTED))
    annotations = world.store["VirtualService digits/digits-gateway"]["metadata"]["annotations"]
    annotations[names.RECORD_ANNOTATION] = objects.dumps(resolved(canary=None))
    with pytest.raises(planning.Rejected) as rejected:
        planning.plan(resolved(), world, CONTEXT)
    (problem,) = rejected.value.problems
    assert problem.key == "canary.version"
    assert "write the live state into the file" in str(problem)
