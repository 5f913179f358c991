# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import envoy, names, proxies
from ansible_collections.roost.cluster.plugins.module_utils.release.envoy import Endpoint, Route

APP = "app.digits.svc.cluster.local"
MODEL = "model-service.digits.svc.cluster.local"
V1, V2 = f"outbound|8080|v1|{APP}", f"outbound|8080|v2|{APP}"

CLUSTERS = f"""\
{V1}::observability_name::{V1};
{V1}::default_priority::max_connections::4294967295
{V1}::high_priority::max_retries::3
{V1}::added_via_api::true
{V1}::eds_service_name::{V1}
{V1}::10.244.1.5:8080::cx_active::1
{V1}::10.244.1.5:8080::rq_active::2
{V1}::10.244.1.5:8080::hostname::
{V1}::10.244.1.5:8080::health_flags::healthy
{V1}::10.244.1.5:8080::weight::1
{V1}::10.244.2.5:8080::rq_active::1
{V1}::10.244.2.5:8080::health_flags::/failed_eds_health
{V2}::added_via_api::true
{V2}::default_priority::max_connections::4294967295
six::[fd00::5]:8080::rq_active::3
six::[fd00::5]:8080::health_flags::healthy
"""


def dump(*hosts: dict[str, Any]) -> str:
    return json.dumps(
        {
            "configs": [
                {
                    "@type": "…/envoy.admin.v3.RoutesConfigDump.DynamicRouteConfig",
                    "version_info": "2026-08-27T12:00:00Z/7",
                    "route_config": {"name": "http.8080", "virtual_hosts": list(hosts)},
                }
            ]
        }
    )


GATEWAY = dump(
    {
        "name": "*:80",
        "domains": ["*"],
        "routes": [
            {
                "match": {"prefix": "/"},
                "name": "weights",
                "route": {
                    "weighted_clusters": {
                        "clusters": [{"name": V1, "weight": 90}, {"name": V2, "weight": 10}]
                    },
                    "timeout": "0s",
                },
            }
        ],
    }
)
SIDECAR = dump(
    {
        "name": f"{MODEL}:8080",
        "domains": [MODEL, "model-service", "model-service.digits.svc", "10.96.1.2"],
        "routes": [
            {"name": "from-v2", "route": {"cluster": f"outbound|8080|v2|{MODEL}"}},
            {"name": "from-others", "route": {"cluster": f"outbound|8080|v1|{MODEL}"}},
        ],
    },
    {
        "name": "allow_any",
        "domains": ["*"],
        "routes": [{"name": "allow_any", "route": {"cluster": "PassthroughCluster"}}],
    },
)


def pod(app: str = "app", version: str = "v2") -> dict[str, Any]:
    return {"metadata": {"name": f"{app}-{version}-1", "labels": {"app": app, "version": version}}}


def test_clusters_with_their_endpoints() -> None:
    found = envoy.read_clusters(CLUSTERS)
    assert found[V1] == {
        "10.244.1.5:8080": Endpoint(True, 2),
        "10.244.2.5:8080": Endpoint(False, 1),
    }
    assert found[V2] == {}
    assert found["six"] == {"[fd00::5]:8080": Endpoint(True, 3)}


def test_nothing_but_clusters_is_read() -> None:
    assert envoy.read_clusters("\nno such page\n") == {}


def test_routes_with_their_weights() -> None:
    (route,) = envoy.read_routes(GATEWAY)
    assert route == Route(("*",), "weights", {V1: 90, V2: 10}, "http.8080")
    assert envoy.drawn([route], "weights", APP) == {"v1": 90, "v2": 10}
    assert envoy.drawn([route], "weights", MODEL) is None
    assert envoy.drawn([route], "other", APP) is None


def test_the_first_rule_for_a_host_counts() -> None:
    routes = envoy.read_routes(SIDECAR)
    assert envoy.pinned(routes, MODEL) == "v2"
    assert envoy.pinned(routes, APP) is None


def test_a_route_without_a_version_pins_nothing() -> None:
    routes = [Route((MODEL,), "default", {f"outbound|8080||{MODEL}": 100})]
    assert envoy.pinned(routes, MODEL) is None


def test_an_empty_proxy() -> None:
    assert envoy.read_routes("{}") == []


# What a condition finds missing. The key, what it expects, the proxy's page, what is missing.
WEIGHTS = {"host": APP, "versions": {"v1": 90, "v2": 10}, "rules": ["weights"]}
EQUAL = {**WEIGHTS, "versions": {"v1": 50, "v2": 50}}
OVERRIDE = {**WEIGHTS, "rules": ["override-v2", "weights"]}
PINS = {"model-service": {"host": MODEL, "by_version": {"v1": "v1", "v2": "v2"}, "default": "v1"}}


@pytest.mark.parametrize(
    ("condition", "expected", "page", "missing"),
    [
        ("gateway_clusters", {V1: 1}, CLUSTERS, ""),
        ("gateway_clusters", {V1: 2}, CLUSTERS, "has 1 healthy endpoints"),
        ("gateway_clusters", {V2: 1}, CLUSTERS, "has 0 healthy endpoints"),
        ("gateway_clusters", {"outbound|8080|v3|x": 0}, CLUSTERS, "has no cluster"),
        ("pod_clusters", {"other": {V1: 1}}, CLUSTERS, ""),
        ("pod_clusters", {"other": {V2: 1}}, CLUSTERS, "has 0 healthy endpoints"),
        # A pod is not asked about the service that it is part of.
        ("pod_clusters", {"app": {V2: 1}}, CLUSTERS, ""),
        ("weights", WEIGHTS, GATEWAY, ""),
        ("weights", EQUAL, GATEWAY, "v1 90%, v2 10%, expected v1 50%, v2 50%"),
        ("weights", {**WEIGHTS, "versions": {"v1": 100}}, GATEWAY, "expected v1 100%"),
        ("weights", WEIGHTS, SIDECAR, "no such rule"),
        ("weights", OVERRIDE, GATEWAY, "has the rules weights, expected override-v2, weights"),
        ("pins", PINS, SIDECAR, ""),
        ("pins", PINS, GATEWAY, "sends calls to model-service to any version, not v2"),
        ("pins", {"app": {**PINS["model-service"], "host": APP}}, SIDECAR, ""),
        ("idle", {"clusters": [V2], "limit": 9}, CLUSTERS, ""),
        ("idle", {"clusters": [V1], "limit": 9}, CLUSTERS, "has 3 requests under way"),
        ("idle", {"clusters": ["unknown"], "limit": 9}, CLUSTERS, ""),
        ("without", ["outbound|8080|v3|x"], CLUSTERS, ""),
        ("without", [V2], CLUSTERS, "still has the cluster"),
    ],
)  # fmt: skip
def test_conditions(condition: str, expected: Any, page: str, missing: str) -> None:
    check = proxies.PROXY_CHECKS[condition]
    found = check.lacks(expected, pod(), proxies.READERS[check.page](page))
    if missing:
        assert missing in "; ".join(found)
    else:
        assert found == []


def test_a_pod_of_an_unknown_version_is_pinned_to_stable() -> None:
    routes = [Route((MODEL,), "from-others", {f"outbound|8080|v1|{MODEL}": 100})]
    check = proxies.PROXY_CHECKS["pins"]
    assert check.lacks(PINS, pod(version="v9"), routes) == []
    assert check.lacks(PINS, pod(version="v2"), routes) != []


# A gateway with HTTPS.

HTTPS = "https.443.https.digits.digits"


def drawing(**weights: tuple[int, int]) -> str:
    """The routes of servers, each with what it draws."""

    def config(name: str, v1: int, v2: int) -> dict[str, Any]:
        clusters = [
            {"name": names.envoy_cluster(8080, version, "app.d"), "weight": weight}
            for version, weight in (("v1", v1), ("v2", v2))
        ]
        rule = {"name": "weights", "route": {"weighted_clusters": {"clusters": clusters}}}
        host = {"domains": ["*"], "routes": [rule]}
        return {"route_config": {"name": name, "virtual_hosts": [host]}}

    return json.dumps({"configs": [config(name, *pair) for name, pair in weights.items()]})


@pytest.mark.parametrize(
    ("https", "page", "missing"),
    [
        (HTTPS, {"http.8080": (90, 10), HTTPS: (90, 10)}, ""),
        (HTTPS, {"http.8080": (90, 10), HTTPS: (80, 20)}, "over HTTPS draws app.d: v1 80%"),
        (HTTPS, {"http.8080": (80, 20), HTTPS: (90, 10)}, "draws app.d: v1 80%"),
        (HTTPS, {"http.8080": (90, 10)}, "over HTTPS draws app.d: no such rule"),
        # Connections that end may keep a server's old routes for a while.
        (None, {HTTPS: (80, 20), "http.8080": (90, 10)}, ""),
        (None, {HTTPS: (90, 10)}, "no such rule"),
    ],
)
def test_each_server_draws_as_it_shall(https: str | None, page: Any, missing: str) -> None:
    expected = {"host": "app.d", "versions": {"v1": 90, "v2": 10}, "rules": ["weights"]}
    expected |= {"https": https} if https else {}
    check = proxies.PROXY_CHECKS["weights"]
    found = "; ".join(check.lacks(expected, {}, proxies.READERS[check.page](drawing(**page))))
    assert missing in found if missing else found == ""


def test_each_gateway_shows_the_certificate() -> None:
    page = json.dumps(
        {
            "certificates": [
                {"ca_cert": [{"serial_number": "0aff"}], "cert_chain": []},
                {"ca_cert": [], "cert_chain": [{"serial_number": "0B01"}, {"serial_number": "7"}]},
            ]
        }
    )
    check = proxies.PROXY_CHECKS["certificate"]
    shown = proxies.READERS[check.page](page)
    assert check.lacks("b01", {}, shown) == []
    assert check.lacks("aff", {}, shown) == ["doesn't show the certificate aff yet"]
