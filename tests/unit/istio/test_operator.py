# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Istio's installation: what depends on the proxy, and what is left to istiod."""

from __future__ import annotations

from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.istio.operator import operator, stages


def values(proxy: str, **more: Any) -> dict[str, Any]:
    return {
        "bundle": {
            "istio-pilot": {"name": "docker.io/istio/pilot:1.31.0", "version": "1.31.0"},
            "istio-proxy": {"name": "docker.io/istio/proxyv2:1.31.0-envoy1.40.0", "proxy": proxy},
        },
        "istiod_replicas": 3,
        "gateway_replicas": 2,
        "gateway_http_node_port": 30080,
        "gateway_https_node_port": 30443,
        "gateway_annotations": {"a": "b"},
        "stats_inclusion": ["cluster.*"],
        "operator_spec": {},
        **more,
    }


def test_a_stock_envoy_is_not_given_istios_own_filters() -> None:
    helm = operator(values("stock"))["spec"]["values"]
    assert helm["pilot"]["env"]["PILOT_ENABLE_METADATA_EXCHANGE"] == "false"
    assert helm["telemetry"] == {"enabled": False}


def test_an_official_proxy_is() -> None:
    helm = operator(values("official"))["spec"]["values"]
    assert helm["pilot"]["env"] == {}
    assert helm["telemetry"] == {"enabled": True}


def test_the_gateway_has_its_ports_and_replicas() -> None:
    gateway = operator(values("stock"))["spec"]["components"]["ingressGateways"][0]["k8s"]
    assert gateway["replicaCount"] == 2
    assert [port["nodePort"] for port in gateway["service"]["ports"]] == [30080, 30443]


def test_a_nodes_port_leads_to_its_own_gateway_while_there_is_one() -> None:
    gateway = operator(values("stock"))["spec"]["components"]["ingressGateways"][0]["k8s"]
    [overlay] = gateway["overlays"]
    assert (overlay["kind"], overlay["name"]) == ("Service", "istio-ingressgateway")
    assert overlay["patches"] == [{"path": "spec.trafficDistribution", "value": "PreferSameNode"}]


def test_a_nodes_cni_is_asked_often_whether_it_is_ready() -> None:
    [overlay] = operator(values("stock"))["spec"]["components"]["cni"]["k8s"]["overlays"]
    assert (overlay["kind"], overlay["name"]) == ("DaemonSet", "istio-cni-node")
    probe = "spec.template.spec.containers.[name:install-cni].readinessProbe"
    assert {patch["path"]: patch["value"] for patch in overlay["patches"]} == {
        f"{probe}.periodSeconds": 1,
        f"{probe}.failureThreshold": 30,
    }


def test_istiod_and_gateway_are_spread_each_by_itself() -> None:
    components = operator(values("stock"))["spec"]["components"]
    istiod = components["pilot"]["k8s"]
    assert istiod["replicaCount"] == 3
    assert [selector(istiod), selector(components["ingressGateways"][0]["k8s"])] == [
        {"istio": "pilot"},
        {"istio": "ingressgateway"},
    ]


def selector(component: dict[str, Any]) -> Any:
    """Of which pods it wants only one on a node."""
    [rule] = component["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    assert rule["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    return rule["podAffinityTerm"]["labelSelector"]["matchLabels"]


def test_a_persons_spec_is_merged_last() -> None:
    spec = operator(values("stock", operator_spec={"meshConfig": {"accessLogFile": "/x"}}))["spec"]
    assert spec["meshConfig"]["accessLogFile"] == "/x"
    assert "defaultConfig" in spec["meshConfig"]


def test_a_gateway_is_changed_by_its_name() -> None:
    mine = {"name": "istio-ingressgateway", "k8s": {"hpaSpec": {"maxReplicas": 5}}}
    more = {"components": {"ingressGateways": [mine]}, "values": {"pilot": {"env": {"A": "b"}}}}
    spec = operator(values("stock", operator_spec=more))["spec"]
    [gateway] = spec["components"]["ingressGateways"]
    assert gateway["k8s"]["hpaSpec"] == {"maxReplicas": 5}
    assert gateway["k8s"]["replicaCount"] == 2
    assert spec["values"]["pilot"]["env"]["A"] == "b"
    assert spec["values"]["pilot"]["env"]["PILOT_ENABLE_ALPN_FILTER"] == "false"


def test_definitions_come_first_and_what_istiod_writes_is_left_out() -> None:
    def webhook(kind: str) -> dict[str, Any]:
        hook = {
            "name": "a",
            "clientConfig": {"caBundle": "", "service": {}},
            "failurePolicy": "Fail",
        }
        return {"kind": kind, "metadata": {"name": "w"}, "webhooks": [hook]}

    found = stages(
        [
            {"kind": "Deployment", "metadata": {"name": "istiod"}},
            webhook("ValidatingWebhookConfiguration"),
            webhook("MutatingWebhookConfiguration"),
            {"kind": "CustomResourceDefinition", "metadata": {"name": "crd"}},
        ]
    )
    assert [item["kind"] for item in found[:2]] == ["Namespace", "CustomResourceDefinition"]
    validating, mutating = found[3]["webhooks"][0], found[4]["webhooks"][0]
    assert validating == {"name": "a", "clientConfig": {"service": {}}}
    assert mutating["failurePolicy"] == "Fail"
    assert "caBundle" not in mutating["clientConfig"]


def test_istiod_is_asked_about_objects_without_a_label_too() -> None:
    assert operator(values("stock"))["spec"]["values"]["defaultRevision"] == "default"
