# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import object_key
from ansible_collections.roost.cluster.plugins.module_utils.release import live, names, objects
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Canary
from release_samples import digest, release, resolved, tag
from release_world import CONTEXT


def inventory(**changes: Any) -> dict[str, Any]:
    items = objects.derive(release(**changes), CONTEXT, resolved(**changes))
    return {object_key(item): item for item in items}


def route_with(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "VirtualService",
        "metadata": {"name": "digits-gateway", "namespace": "digits"},
        "spec": {"http": rules},
    }


def to(version: str | None, weight: int | None = None) -> dict[str, Any]:
    destination: dict[str, Any] = {"host": "app"} | ({"subset": version} if version else {})
    return {"destination": destination} | ({} if weight is None else {"weight": weight})


def test_what_was_derived_is_read_back() -> None:
    found = live.live_of(inventory(), "digits", "digits")
    assert found is not None
    assert (found.stable, found.canary) == ("v1", Canary("v2", 10))
    assert found.images["v2"] == resolved()["versions"]["v2"]
    assert found.replicas["model-service", "v1"] == 2


def test_a_canary_without_weight_is_still_the_canary() -> None:
    found = live.live_of(inventory(canary={"version": "v2", "weight": 0}), "digits", "digits")
    assert found is not None
    assert found.canary == Canary("v2", 0)


def test_nothing_is_live_without_a_route() -> None:
    assert live.live_of({}, "digits", "digits") is None


def test_the_drawing_rule_is_found_among_others() -> None:
    rules = [
        {"name": "override", "route": [to("v2")]},
        {"name": "weights", "route": [to("v1", 63), to("v2", 37)]},
        {"name": "rest", "route": [to("v3")]},
    ]
    assert live.weights_of(route_with(rules)) == [("v1", 63), ("v2", 37)]


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [{"route": []}],
        [{"route": [to(None)]}],
        [{"route": [to("v1", 50), to("v2", 30)]}],
        [{"route": [to("v1", 50), to("v2", 30), to("v3", 20)]}],
    ],
)
def test_a_route_of_another_kind_is_refused(rules: Any) -> None:
    with pytest.raises(live.Unreadable, match="VirtualService digits/digits-gateway can't be read"):
        live.weights_of(route_with(rules))


def test_a_record_that_is_no_json_is_refused() -> None:
    route = route_with([])
    route["metadata"]["annotations"] = {names.RECORD_ANNOTATION: "{"}
    with pytest.raises(live.Unreadable, match="is not JSON"):
        live.record_of(route)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (tag("app", "v1"), f"{tag('app', 'v1')}@{digest('x')}"),
        # The annotation belongs to another image, or is gone: what runs is what counts.
        ("other/app:v1", f"roost.internal/digits-app@{digest('x')}"),
        (None, f"roost.internal/digits-app@{digest('x')}"),
    ],
)
def test_the_image_that_runs_is_named_by_its_tag_where_that_is_known(
    annotation: str | None, expected: str
) -> None:
    deployment = inventory()["Deployment digits/app-v1"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["image"] = f"roost.internal/digits-app@{digest('x')}"
    deployment["metadata"]["annotations"] = (
        {names.IMAGE_ANNOTATION: annotation} if annotation else {}
    )
    assert live.image_of(deployment) == expected


def test_subsets_and_rules_are_read() -> None:
    found = inventory()
    assert live.subsets_of(found, "app", "digits") == ["v1", "v2"]
    assert live.rules_of(found, "model-service", "digits") == ["v1", "v2"]
    assert live.subsets_of({}, "app", "digits") == live.rules_of({}, "app", "digits") == []
