# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    envoy_filters,
    names,
    objects,
    planning,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.envoy_filters import Fault
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from release_moves import run
from release_samples import release, resolved
from release_world import CONTEXT, World

LIMITED = {"rate_limit": {"requests_per_second": 50, "burst": 80}}


def rate_limit(**changes: Any) -> dict[str, Any]:
    items = objects.derive(release(**LIMITED, **changes), CONTEXT)
    (found,) = [item for item in items if item["kind"] == "EnvoyFilter"]
    return found


def test_the_rate_limit_stands_beside_the_gateway() -> None:
    found = rate_limit()
    assert found["metadata"]["namespace"] == "istio-system"
    assert found["spec"]["workloadSelector"] == {"labels": {"istio": "ingressgateway"}}


def test_only_the_releases_hosts_are_limited() -> None:
    insert, *hosts = rate_limit(hosts=["a.example", "*.b.example"])["spec"]["configPatches"]
    # By itself the filter does nothing: other releases pass through it as well.
    assert "token_bucket" not in insert["patch"]["value"]["typed_config"]
    assert [each["match"]["routeConfiguration"]["vhost"]["name"] for each in hosts] == [
        "a.example:80",
        "*.b.example:80",
    ]
    name = insert["patch"]["value"]["name"]
    assert "digits" in name
    for each in hosts:
        limited = each["patch"]["value"]["typed_per_filter_config"][name]
        assert limited["token_bucket"] == {
            "max_tokens": 80,
            "tokens_per_fill": 50,
            "fill_interval": "1s",
        }


def test_a_fault_is_injected_into_one_version_on_its_way_in() -> None:
    half = Fault(abort_percent=50, abort_status=500, delay_percent=10, delay_seconds=0.25)
    found = envoy_filters.fault(release(), "app", "v2", half)
    assert found["metadata"]["namespace"] == "digits"
    assert found["spec"]["workloadSelector"]["labels"] == {
        "app": "app",
        "version": "v2",
        names.PART_OF: "digits",
    }
    (patch,) = found["spec"]["configPatches"]
    assert patch["match"]["context"] == "SIDECAR_INBOUND"
    settings = patch["patch"]["value"]["typed_config"]
    assert settings["abort"]["http_status"] == 500
    assert settings["abort"]["percentage"] == {"numerator": 50, "denominator": "HUNDRED"}
    assert settings["delay"]["fixed_delay"] == "0.25s"
    assert settings["delay"]["percentage"]["numerator"] == 10


def test_what_is_not_injected_is_not_named() -> None:
    settings = str(envoy_filters.fault(release(), "app", "v2", Fault(delay_percent=100)))
    assert "abort" not in settings


@pytest.mark.parametrize("gateways", ["istio-system", "digits"])
def test_a_run_in_the_middle_of_a_drill_leaves_it_alone(gateways: str) -> None:
    world = World()
    run(world, resolved())
    world.apply(envoy_filters.fault(release(), "app", "v2", Fault(abort_percent=50)))
    context = Context(gateway_namespace=gateways)
    assert planning.plan(resolved(), world, context).steps == []


def test_a_limit_that_is_taken_out_of_the_file_goes() -> None:
    world = World()
    run(world, resolved(**LIMITED))
    key = "EnvoyFilter istio-system/roost-digits-rate-limit"
    assert key in world.store
    run(world, resolved())
    assert key not in world.store
