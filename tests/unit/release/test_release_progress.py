# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far a canary has come is kept beside its weights, and a further run goes on from there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import object_key
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    live,
    objects,
    planning,
    progress,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Canary, Progress
from ansible_collections.roost.cluster.plugins.module_utils.release.progress import Course
from release_moves import run
from release_samples import release, resolved
from release_world import CONTEXT, World

WALKING = Course(Progress("aaaaaaaa", (5, 10)), ("bbbbbbbb",))
ROUTE = "VirtualService digits/digits-gateway"


def walking(world: World, course: Course = WALKING, weight: int = 10) -> None:
    """As a rollout leaves the route: the weight, and how it came there."""
    canary = Canary("v2", weight)
    wanted = replace(release(), canary=canary, progress=course.progress, ended=course.ended)
    (route,) = [
        item for item in objects.derive(wanted, CONTEXT, resolved()) if object_key(item) == ROUTE
    ]
    world.apply(route)


def course_in(world: World) -> Course:
    return live.course_of(world.store[ROUTE])


@pytest.mark.parametrize(
    "course",
    [Course(), WALKING, Course(None, ("bbbbbbbb", "cccccccc")), replace(WALKING, ended=())],
)
def test_what_is_written_is_read_back(course: Course) -> None:
    assert progress.loads(progress.dumps(course)) == course


def test_a_weight_that_is_set_again_is_no_step() -> None:
    begun = Progress("aaaaaaaa", (5,))
    assert begun.at(5) == begun
    assert begun.at(10).at(5).weights == (5, 10, 5)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"rollout":"aaaaaaaa","weights":[5]}',
        '{"rollout":"A.*","weights":[5],"ended":[]}',
        '{"rollout":"aaaaaaaa","weights":[],"ended":[]}',
        '{"rollout":"aaaaaaaa","weights":[101],"ended":[]}',
        '{"rollout":"aaaaaaaa","weights":[true],"ended":[]}',
        '{"rollout":null,"weights":[],"ended":["b"]}',
        '{"rollout":null,"weights":[],"ended":"bbbbbbbb"}',
    ],
)
def test_an_annotation_that_somebody_broke_is_named(text: str) -> None:
    route = {
        "kind": "VirtualService",
        "metadata": {
            "name": "digits-gateway",
            "namespace": "digits",
            "annotations": {progress.ANNOTATION: text},
        },
    }
    with pytest.raises(live.Unreadable, match=r"roost.cluster/progress of Virt.*expected"):
        live.course_of(route)


@pytest.mark.parametrize(
    ("before", "stable", "canary", "expected"),
    [
        # The same weight, wherever it came from: nothing is written.
        (("v2", 10), "v1", ("v2", 10), WALKING),
        (("v2", 37), "v1", ("v2", 37), WALKING),
        (("v2", 10), "v1", ("v2", 25), Course(Progress("aaaaaaaa", (5, 10, 25)), ("bbbbbbbb",))),
        (("v2", 10), "v2", None, Course(None, ("bbbbbbbb",))),
        (("v2", 10), "v2", ("v3", 5), Course(None, ("bbbbbbbb",))),
        (("v2", 10), "v1", None, Course(None, ("bbbbbbbb", "aaaaaaaa"))),
        (("v2", 10), "v1", ("v3", 5), Course(None, ("bbbbbbbb", "aaaaaaaa"))),
    ],
)
def test_the_course_follows_what_becomes_of_the_canary(
    before: Any, stable: str, canary: Any, expected: Course
) -> None:
    after = Canary(*canary) if canary else None
    assert WALKING.follow(Canary(*before), stable, after) == expected


def test_only_the_last_rollouts_are_remembered() -> None:
    course = Course()
    for number in range(15):
        course = Course(Progress(f"rollou{number:02}", (5,)), course.ended).rolled_back()
    assert len(course.ended) == 10
    assert course.ended[-1] == "rollou14"


@pytest.mark.parametrize("weight", [10, 37])
def test_a_further_run_changes_nothing_in_the_middle_of_a_rollout(weight: int) -> None:
    world = World()
    run(world, resolved())
    walking(world, weight=weight)
    plan = planning.plan(resolved(), world, CONTEXT)
    assert plan.steps == []
    assert (plan.release.progress, plan.release.ended) == (WALKING.progress, WALKING.ended)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            {"canary": {"version": "v2", "weight": 40}},
            Course(Progress("aaaaaaaa", (5, 10, 40)), ("bbbbbbbb",)),
        ),
        ({"canary": None}, Course(None, ("bbbbbbbb", "aaaaaaaa"))),
        ({"stable": "v2", "canary": None}, Course(None, ("bbbbbbbb",))),
    ],
)
def test_an_edit_of_the_file_is_part_of_the_course(edit: Any, expected: Course) -> None:
    world = World()
    run(world, resolved())
    walking(world)
    run(world, resolved(**edit))
    assert course_in(world) == expected
    assert planning.plan(resolved(**edit), world, CONTEXT).steps == []


def test_a_release_without_rollouts_has_no_such_annotation() -> None:
    world = World()
    run(world, resolved())
    assert progress.ANNOTATION not in world.store[ROUTE]["metadata"]["annotations"]
