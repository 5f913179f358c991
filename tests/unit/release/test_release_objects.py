# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import object_key
from ansible_collections.roost.cluster.plugins.module_utils.release import names, objects
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from release_samples import release, resolved
from release_world import CONTEXT

ITEMS = objects.derive(release(), CONTEXT, resolved())
DEPLOYMENTS = [item for item in ITEMS if item["kind"] == "Deployment"]


def of_kind(kind: str, items: list[dict[str, Any]] = ITEMS) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in items if item["kind"] == kind}


def test_all_objects() -> None:
    assert {kind: sorted(of_kind(kind)) for kind in sorted({item["kind"] for item in ITEMS})} == {
        "Namespace": ["digits"],
        "PeerAuthentication": ["default"],
        "ServiceAccount": ["app", "model-service"],
        "Service": ["app", "model-service"],
        "DestinationRule": ["app", "model-service"],
        "VirtualService": ["app", "digits-gateway", "model-service"],
        "Gateway": ["digits"],
        "Deployment": ["app-v1", "app-v2", "model-service-v1", "model-service-v2"],
        "PodDisruptionBudget": ["app-v1", "app-v2", "model-service-v1", "model-service-v2"],
    }


def test_only_stable_and_canary_have_pods() -> None:
    items = objects.derive(release(canary=None), CONTEXT)
    assert sorted(of_kind("Deployment", items)) == ["app-v1", "model-service-v1"]


@pytest.mark.parametrize("item", ITEMS, ids=object_key)
def test_everything_is_found_by_its_labels(item: dict[str, Any]) -> None:
    assert names.common_labels("digits").items() <= item["metadata"]["labels"].items()


def test_no_object_is_named_twice() -> None:
    assert len({object_key(item) for item in ITEMS}) == len(ITEMS)


def test_pure() -> None:
    assert objects.derive(release(), CONTEXT, resolved()) == ITEMS


# Routing.


def destinations(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for rule in route["spec"]["http"]:
        yield from rule["route"]


@pytest.mark.parametrize("route", of_kind("VirtualService").values(), ids=object_key)
def test_routes_lead_to_subsets_that_exist_and_weights_add_up(route: dict[str, Any]) -> None:
    subsets = {
        (rule["spec"]["host"], subset["name"])
        for rule in of_kind("DestinationRule").values()
        for subset in rule["spec"]["subsets"]
    }
    for item in destinations(route):
        assert (item["destination"]["host"], item["destination"]["subset"]) in subsets
    for rule in route["spec"]["http"]:
        assert sum(item.get("weight", 100) for item in rule["route"]) == 100


@pytest.mark.parametrize("name", ["app", "model-service"])
def test_subsets_select_pods_that_exist(name: str) -> None:
    labels = [item["spec"]["template"]["metadata"]["labels"] for item in DEPLOYMENTS]
    service = of_kind("Service")[name]["spec"]["selector"]
    for subset in of_kind("DestinationRule")[name]["spec"]["subsets"]:
        wanted = {**service, **subset["labels"]}
        assert sum(wanted.items() <= found.items() for found in labels) == 1


def test_hosts_are_full_names_and_none_has_two_routes_on_the_mesh() -> None:
    on_mesh = [
        host
        for route in of_kind("VirtualService").values()
        if route["spec"]["gateways"] == ["mesh"]
        for host in route["spec"]["hosts"]
    ]
    assert sorted(on_mesh) == [
        "app.digits.svc.cluster.local",
        "model-service.digits.svc.cluster.local",
    ]


def test_another_cluster_domain() -> None:
    items = objects.derive(release(), Context(cluster_domain="example.org"))
    assert of_kind("DestinationRule", items)["app"]["spec"]["host"] == "app.digits.svc.example.org"


def test_the_gateway_draws_by_weight_stable_first() -> None:
    route = of_kind("VirtualService")["digits-gateway"]
    assert route["apiVersion"] == "networking.istio.io/v1"
    assert route["spec"]["gateways"] == ["digits/digits"]
    found = [(item["destination"]["subset"], item["weight"]) for item in destinations(route)]
    assert found == [("v1", 90), ("v2", 10)]


@pytest.mark.parametrize(
    ("labels", "version"),
    [
        ({"version": "v1", names.PART_OF: "digits"}, "v1"),
        ({"version": "v2", names.PART_OF: "digits"}, "v2"),
        # Somebody else's v2, and callers without a version.
        ({"version": "v2", names.PART_OF: "other"}, "v1"),
        ({"version": "v9", names.PART_OF: "digits"}, "v1"),
        ({}, "v1"),
    ],
)
def test_the_second_hop_follows_the_callers_version(labels: dict[str, str], version: str) -> None:
    rules = of_kind("VirtualService")["model-service"]["spec"]["http"]
    rule = next(
        rule
        for rule in rules
        if "match" not in rule or rule["match"][0]["sourceLabels"].items() <= labels.items()
    )
    assert rule["route"][0]["destination"]["subset"] == version


@pytest.mark.parametrize("rule", of_kind("DestinationRule").values(), ids=object_key)
def test_no_version_can_be_emptied_by_ejection(rule: dict[str, Any]) -> None:
    assert "outlierDetection" not in str(rule)
    assert rule["spec"]["trafficPolicy"]["tls"] == {"mode": "ISTIO_MUTUAL"}


def test_mutual_tls_is_required() -> None:
    assert of_kind("PeerAuthentication")["default"]["spec"] == {"mtls": {"mode": "STRICT"}}


def test_the_gateway_selects_the_ingress_pods() -> None:
    spec = of_kind("Gateway")["digits"]["spec"]
    assert spec["selector"] == {"istio": "ingressgateway"}
    assert spec["servers"][0]["port"] == {"number": 80, "name": "http", "protocol": "HTTP"}
    assert spec["servers"][0]["hosts"] == ["*"]


def test_ports_are_named_so_that_istio_speaks_http() -> None:
    for service in of_kind("Service").values():
        (port,) = service["spec"]["ports"]
        assert (port["name"], port["appProtocol"], port["targetPort"]) == ("http", "http", "http")
