# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that can't be kept are told before anything is done."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.options.problems import problems

HELD = {"kubernetes_version": "v1.36.3", "istio_version": "1.31.0"}
OPTIONS: dict[str, Any] = {
    **HELD,
    "api_endpoint": "192.168.56.100:6443",
    "node_ip": "192.168.56.100",
    "control_plane": ["control"],
    "istio_gateway_http_node_port": 30080,
    "istio_gateway_https_node_port": 30443,
    "container_runtime_registry_mirrors": {},
    "http_proxy": "",
    "https_proxy": "",
    "no_proxy": [],
}
EDGE = {"istio_gateway_http_node_port": 30080, "istio_gateway_https_node_port": 30443}


def told(edge: dict[str, int] | None = None, **changed: Any) -> list[str]:
    return problems(OPTIONS | changed, HELD, EDGE if edge is None else edge)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"kubernetes_version": "1.36.3"},
        {"api_endpoint": "localhost:443"},
        {"istio_gateway_http_node_port": "30080"},
        {"container_runtime_registry_mirrors": {"docker.io": ["https://mirror.example"]}},
        {"https_proxy": "http://proxy.example:3128", "no_proxy": [".example"]},
    ],
)
def test_what_can_be_kept_is_no_problem(changed: dict[str, Any]) -> None:
    assert told(**changed) == []


def test_another_version_than_the_bundles_is_refused_with_what_to_do() -> None:
    [told_] = told(kubernetes_version="v1.37.2")
    assert told_.startswith("kubernetes_version: expected v1.37.2, and the bundle holds v1.36.3")
    assert "`make bundle`" in told_


@pytest.mark.parametrize(
    "endpoint", ["192.168.56.100", "192.168.56.100:", ":6443", "https://api:6443", "api:70000", ""]
)
def test_an_endpoint_needs_address_and_port(endpoint: str) -> None:
    [told_] = told(api_endpoint=endpoint)
    assert f"expected ADDRESS:PORT, as in 192.168.56.100:6443, found {endpoint!r}" in told_


def test_a_second_control_plane_machine_is_refused() -> None:
    """Each would become a cluster of its own."""
    [told_] = told(control_plane=["control", "control-2"])
    assert "expected one machine in the group control_plane, found control, control-2" in told_


def test_an_endpoint_of_ipv6_is_left_to_preflight_where_it_is_the_machines_address() -> None:
    assert told(node_ip="fd00::10", api_endpoint="fd00::10:6443") == []
    assert told(api_endpoint="fd00::10:6443")


def test_an_endpoints_name_has_to_be_known_here() -> None:
    [told_] = told(api_endpoint="api.invalid:6443")
    assert told_.startswith("api_endpoint: api.invalid is unknown on this machine (")
    assert "extra_hosts" in told_


def test_a_node_port_that_the_edge_does_not_lead_to_is_refused() -> None:
    [told_] = told(istio_gateway_http_node_port=31080)
    assert told_.startswith("istio_gateway_http_node_port: found 31080, and the address")
    assert "leads to 30080" in told_
    assert told(edge={}, istio_gateway_http_node_port=31080) == []


def test_one_port_for_both_is_refused() -> None:
    [told_] = told(edge={}, istio_gateway_http_node_port=30443)
    assert "expected two different ports, found 30443 twice" in told_


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("container_runtime_registry_mirrors", {"docker.io": ["mirror"]}, "docker.io: expected"),
        ("http_proxy", "proxy.example:3128", "expected http://HOST:PORT"),
        ("no_proxy", ["a b"], "found 'a b'"),
    ],
)
def test_mirrors_and_proxies_are_looked_at_before_machines(
    option: str, value: Any, said: str
) -> None:
    [told_] = told(**{option: value})
    assert told_.startswith(f"{option}: ")
    assert said in told_


def test_all_are_told_at_once() -> None:
    assert len(told(istio_version="1.30.0", api_endpoint="x", istio_gateway_https_node_port=1)) == 3
