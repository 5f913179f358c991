# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order of the stages, replayed in a world where proxies learn of changes at random times."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    live,
    objects,
    planning,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.plan import Step
from release_moves import (
    MOVES,
    ONLY_V1,
    OPTION_MOVES,
    SEEDS,
    V2_AT_0,
    V2_AT_10,
    V2_AT_50,
    V2_AT_100,
    run,
    start_of,
)
from release_samples import release, resolved
from release_world import CONTEXT, Killed, World


def settled(world: World, **changes: Any) -> None:
    """The world is as the block says, and a further run finds nothing to do."""
    course = live.course_of(world.store["VirtualService digits/digits-gateway"])
    final = replace(release(**changes), progress=course.progress, ended=course.ended)
    wanted = {
        key: item
        for item in objects.derive(final, CONTEXT, resolved(**changes))
        for key in [f"{item['kind']} {item['metadata']['name']}"]
    }
    if final.tls:
        wanted["Secret roost-digits-tls"] = {"kind": "Secret"}
    found = {f"{item['kind']} {item['metadata']['name']}": item for item in world.store.values()}
    assert found.keys() == wanted.keys()
    for key, item in wanted.items():
        if item["kind"] in ("VirtualService", "DestinationRule"):
            assert found[key]["spec"] == item["spec"], key
    assert planning.plan(resolved(**changes), world, CONTEXT).steps == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("first", [V2_AT_10, ONLY_V1, V2_AT_0, V2_AT_100])
def test_a_first_install(seed: int, first: dict[str, Any]) -> None:
    world = World(seed)
    steps = run(world, resolved(**first))
    assert world.violations == []
    settled(world, **first)
    assert len(steps) <= 2


@pytest.mark.parametrize(
    ("move", "seed"),
    # Options take the same ways through the same stages, so some seeds are enough for them.
    [(move, seed) for move in MOVES for seed in SEEDS[: 4 if move in OPTION_MOVES else None]],
)
def test_a_move(seed: int, move: str) -> None:
    _before, after = MOVES[move]
    world = start_of(move, seed)
    run(world, resolved(**after))
    assert world.violations == []
    settled(world, **after)


@pytest.mark.parametrize("move", ["first install", *MOVES])
def test_a_run_that_is_killed_anywhere_can_be_run_again(move: str) -> None:
    _before, after = MOVES.get(move, (None, V2_AT_10))
    for calls in range(40):
        world = start_of(move, calls % len(SEEDS)) if move in MOVES else World()
        # None of the seeds that made a start: the pods' names come from it too.
        world.random.seed(len(SEEDS) + calls)
        world.calls_left = calls
        try:
            run(world, resolved(**after))
        except Killed:
            killed = True
        else:
            killed = False
        world.calls_left = None
        run(world, resolved(**after))
        assert world.violations == [], f"killed after {calls} calls"
        settled(world, **after)
        if not killed:
            return
    raise AssertionError("the run was killed every time: too few calls were tried")


def names_of(steps: list[Step]) -> list[str]:
    return [step.stage.name for step in steps]


@pytest.mark.parametrize(
    ("move", "expected"),
    [
        ("add a canary", ["workloads", "subsets", "second hop", "weights"]),
        ("change the weight", ["check", "weights"]),
        ("take the weight away", ["check", "weights"]),
        (
            "remove the canary",
            [
                "check",
                "weights",
                "check",
                "second hop without the old version",
                "subsets without the old version",
                "remove",
            ],
        ),
        ("swap", ["check", "second hop", "check", "weights"]),
    ],
)
def test_the_stages_of_a_move(move: str, expected: list[str]) -> None:
    _before, after = MOVES[move]
    world = start_of(move, seed=0)
    assert names_of(run(world, resolved(**after))) == expected


def test_the_first_install_holds_the_weight_back() -> None:
    plan = planning.plan(resolved(), World(), CONTEXT)
    install, weights = plan.steps
    (held,) = [
        item for item in install.stage.objects if item["metadata"]["name"] == "digits-gateway"
    ]
    assert live.weights_of(held) == [("v1", 100), ("v2", 0)]
    # Not yet: were the run killed here, the next one would take 0 for somebody's choice.
    assert live.record_of(held) is None
    (route,) = weights.stage.objects
    assert live.weights_of(route) == [("v1", 90), ("v2", 10)]
    assert live.record_of(route) == resolved()


def test_in_the_first_install_routes_stand_before_pods() -> None:
    (install, _weights) = planning.plan(resolved(), World(), CONTEXT).steps
    kinds = [item["kind"] for item in install.stage.objects]
    assert kinds[0] == "Namespace"
    last_route = max(
        i for i, kind in enumerate(kinds) if kind in ("VirtualService", "DestinationRule")
    )
    assert last_route < kinds.index("Deployment")


def test_without_a_canary_one_stage_is_enough() -> None:
    (install,) = planning.plan(resolved(canary=None), World(), CONTEXT).steps
    (route,) = [
        item for item in install.stage.objects if item["metadata"]["name"] == "digits-gateway"
    ]
    assert live.record_of(route) == resolved(canary=None)


def test_no_rule_is_taken_away_before_every_gateway_has_the_weights() -> None:
    """With little traffic, that no request is under way says nothing about the next one."""
    world = World()
    run(world, resolved(**V2_AT_50))
    route = planning.plan(resolved(**ONLY_V1), world, CONTEXT).steps[1].stage.objects[0]
    world.apply(route)
    (gate, *_rest) = planning.plan(resolved(**ONLY_V1), world, CONTEXT).steps
    assert gate.stage.wait["weights"]["versions"] == {"v1": 100}
    assert gate.stage.wait["idle"]["clusters"] == [
        "outbound|8080|v2|app.digits.svc.cluster.local",
        "outbound|8080|v2-override|app.digits.svc.cluster.local",
        "outbound|8080|v2-mirror|app.digits.svc.cluster.local",
        "outbound|8080|v2|model-service.digits.svc.cluster.local",
    ]


def test_weight_can_be_taken_from_a_canary_that_does_not_work() -> None:
    """The weight moves at once; only then the run fails, for pods that don't get ready."""
    world = World()
    run(world, resolved(**V2_AT_50))
    for pod in world.pods.values():
        pod.broken = pod.version == "v2"
    # What is broken now was served before: only the new order is looked at.
    run_until = planning.plan(resolved(**V2_AT_0), world, CONTEXT)
    check, weights = run_until.steps
    assert check.stage.wait["ready"] == ["app-v1", "model-service-v1"]
    assert live.weights_of(weights.stage.objects[0]) == [("v1", 100), ("v2", 0)]


def test_weight_is_not_given_to_a_canary_that_does_not_work() -> None:
    world = World(broken=["model-service-v2"])
    with pytest.raises(AssertionError, match="model-service-v2: 0 of 2 pods are ready"):
        run(world, resolved(**V2_AT_10), limit=60)
    assert world.violations == []


def test_nothing_is_overwritten_that_was_moved_meanwhile() -> None:
    world = World()
    run(world, resolved())
    plan = planning.plan(resolved(**V2_AT_50), world, CONTEXT)
    route = world.store["VirtualService digits/digits-gateway"]
    route["metadata"]["resourceVersion"] = "moved"
    with pytest.raises(Exception, match="changed meanwhile"):
        world.apply(plan.steps[-1].stage.objects[0])


@pytest.mark.parametrize("kind", ["VirtualService", "DestinationRule"])
@pytest.mark.parametrize("name", ["app", "model-service", "digits-gateway"])
def test_what_was_deleted_by_hand_comes_back(kind: str, name: str) -> None:
    world = World()
    run(world, resolved(**V2_AT_50))
    if world.store.pop(f"{kind} digits/{name}", None) is None:
        return
    run(world, resolved(**V2_AT_50))
    settled(world, **V2_AT_50)


def test_a_removed_service_goes_with_all_its_objects() -> None:
    third = {"cache": {"port": 6379}}
    versions = {
        version: {**pair, "cache": f"a/cache@sha256:{'0' * 64}"}
        for version, pair in resolved()["versions"].items()
    }
    world = World()
    run(world, resolved(services={**resolved()["services"], **third}, versions=versions))
    assert "Deployment digits/cache-v1" in world.store
    run(world, resolved())
    assert not [key for key in world.store if "cache" in key]
    settled(world)
