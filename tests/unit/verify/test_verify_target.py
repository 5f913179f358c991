# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import (
    BadRelease,
    Target,
    target,
    with_live,
)

from tests.unit.traffic.fake_app import entry_route, release


def live(*routes: dict[str, Any], **changes: Any) -> Target:
    return with_live(target(release(**changes)), list(routes))


def test_the_file_alone() -> None:
    wanted = target(release())
    assert (wanted.stable, wanted.canary, wanted.weight) == ("v1", "v2", 10)
    assert wanted.entry.name == "app"
    assert [service.name for service in wanted.others] == ["model-service"]
    assert (wanted.path, wanted.app_header, wanted.model_header) == (
        "/api/version",
        "x-app-version",
        "x-model-version",
    )


def test_without_headers_in_the_file_there_are_none() -> None:
    wanted = target(release(verify={"path": "/"}))
    assert (wanted.path, wanted.app_header, wanted.model_header) == ("/", None, None)


def test_a_new_model_with_an_unchanged_app_can_not_be_told_by_headers() -> None:
    versions = {
        "v1": {"app": "app:v1", "model-service": "model:v1"},
        "v2": {"app": "app:v1", "model-service": "model:v2"},
    }
    wanted = target(release(versions=versions))
    assert (wanted.app_header, wanted.model_header) == (None, None)


def test_a_new_app_with_an_unchanged_model_has_no_pairs_by_headers() -> None:
    versions = {
        "v1": {"app": "app:v1", "model-service": "model:v1"},
        "v2": {"app": "app:v2", "model-service": "model:v1"},
    }
    wanted = target(release(versions=versions))
    assert (wanted.app_header, wanted.model_header) == ("x-app-version", None)


@pytest.mark.parametrize(
    ("route", "stable", "canary", "weight", "differs"),
    [
        (entry_route(v1=90, v2=10), "v1", "v2", 10, False),
        (entry_route(v1=63, v2=37), "v1", "v2", 37, True),
        (entry_route(v2=37, v1=63), "v1", "v2", 37, True),
        (entry_route(v1=100), "v1", None, 0, True),
        (entry_route(v1=100, v2=0), "v1", "v2", 0, True),
        (entry_route(v2=100), "v2", None, 0, True),
        (entry_route(v2=80, v3=20), "v2", "v3", 20, True),
        (entry_route(v1=80, v3=20), "v1", "v3", 20, True),
    ],
)
def test_the_live_draw_wins(
    route: dict[str, Any], stable: str, canary: str | None, weight: int, differs: bool
) -> None:
    wanted = live(route)
    assert (wanted.stable, wanted.canary, wanted.weight) == (stable, canary, weight)
    assert wanted.source.startswith("the live VirtualService digits/digits-gateway")
    assert ("the file says v2 10%" in wanted.source) is differs


def test_without_a_live_draw_the_file_says() -> None:
    on_mesh = entry_route(v1=50, v2=50)
    on_mesh["spec"]["gateways"] = ["mesh"]
    wanted = live(on_mesh)
    assert wanted.weight == 10
    assert wanted.source == "the file (release.canary.weight), for there is no live draw"


def test_rules_for_some_requests_only_are_no_draw() -> None:
    route = entry_route(v1=90, v2=10)
    override = {
        "match": [{"headers": {"x-release": {"exact": "v2"}}}],
        "route": entry_route(v1=0, v2=100)["spec"]["http"][0]["route"],
    }
    del route["spec"]["http"][0]["name"]
    route["spec"]["http"].insert(0, override)
    assert live(route).weight == 10


def test_another_service_behind_the_gateway_is_no_draw() -> None:
    route = entry_route(v1=50, v2=50)
    for item in route["spec"]["http"][0]["route"]:
        item["destination"]["host"] = "other.digits.svc.cluster.local"
    assert live(route).weight == 10


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"stable": None}, "release.stable"),
        ({"namespace": ""}, "release.namespace"),
        ({"services": {}}, "release.services"),
        ({"services": {"app": {"port": 1}}}, "entry: true"),
    ],
)
def test_what_is_missing_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRelease, match=named):
        target(release(**changes))
