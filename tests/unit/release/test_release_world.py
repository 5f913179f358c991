# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The small world notices what it is there to notice: each order that is wrong breaks a rule."""

from __future__ import annotations

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import objects
from release_moves import ONLY_V1, SEEDS, V2_AT_50, run
from release_samples import release, resolved
from release_world import CONTEXT, World


def add_canary(world: World, *kinds_first: str) -> None:
    """Objects of these kinds, and when the pods are ready everything else at once."""
    items = objects.derive(release(), CONTEXT, resolved())
    items.sort(key=lambda item: item["kind"] not in kinds_first)
    first = sum(item["kind"] in kinds_first for item in items)
    for item in items[:first]:
        world.apply(item)
    for _tick in range(10 if kinds_first else 0):
        world.tick()
    for item in items[first:]:
        world.apply(item)
    for _tick in range(10):
        world.tick()


@pytest.mark.parametrize(
    ("kinds_first", "noticed"),
    [
        ([], "weight on v2 without ready pods"),
        (["Deployment"], "whose subset it doesn't have"),
        (["Deployment", "DestinationRule"], "a mixed pair"),
    ],
)
def test_the_world_notices_a_canary_added_too_fast(kinds_first: list[str], noticed: str) -> None:
    found = ""
    for seed in SEEDS:
        world = World(seed)
        run(world, resolved(**ONLY_V1))
        add_canary(world, *kinds_first)
        found += "".join(world.violations)
    assert noticed in found


@pytest.mark.parametrize("kind", ["Deployment", "DestinationRule", "VirtualService"])
def test_the_world_notices_a_canary_removed_in_no_order(kind: str) -> None:
    found = 0
    for seed in SEEDS:
        world = World(seed)
        run(world, resolved(**V2_AT_50))
        final = {f"{i['kind']} {i['metadata']['name']}": i for i in objects.derive(
            release(**ONLY_V1), CONTEXT, resolved(**ONLY_V1)
        )}  # fmt: skip
        world.apply(final["VirtualService digits-gateway"])
        if kind == "Deployment":
            world.delete(world.store["Deployment digits/app-v2"])
        else:
            world.apply(final[f"{kind} model-service"])
        for _tick in range(10):
            world.tick()
        found += len(world.violations)
    assert found


def test_the_world_notices_pods_without_a_route() -> None:
    world = World()
    items = objects.derive(release(), CONTEXT)
    for item in sorted(items, key=lambda item: item["kind"] != "Deployment"):
        world.apply(item)
    assert any("without a route" in text for text in world.violations)
