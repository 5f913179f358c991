# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The mesh, used by pods of a test: the way in, who may talk to whom, and what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.pods import PORT, Pods, condition, get

HTTP, HTTPS = 30080, 30443
HOST = "mesh.test"
SYSTEM = "istio-system"
# A pod that must not even ask for more than Pod Security's strictest level has.
STRICT = {"istio-injection": "enabled", "pod-security.kubernetes.io/enforce": "restricted"}


def objects(namespace: str) -> list[dict[str, Any]]:
    """A door in the gateway to the pod `inside`, and mutual TLS asked of everybody else."""
    service = f"inside.{namespace}.svc.cluster.local"
    networking = "networking.istio.io/v1"
    return [
        {
            "apiVersion": "security.istio.io/v1",
            "kind": "PeerAuthentication",
            "metadata": {"name": "default"},
            "spec": {"mtls": {"mode": "STRICT"}},
        },
        {
            "apiVersion": networking,
            "kind": "Gateway",
            "metadata": {"name": "door"},
            "spec": {
                "selector": {"istio": "ingressgateway"},
                "servers": [
                    {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [HOST]}
                ],
            },
        },
        {
            "apiVersion": networking,
            "kind": "VirtualService",
            "metadata": {"name": "door"},
            "spec": {
                "hosts": [HOST],
                "gateways": ["door"],
                "http": [{"route": [{"destination": {"host": service, "subset": "only"}}]}],
            },
        },
        {
            "apiVersion": networking,
            "kind": "DestinationRule",
            "metadata": {"name": "inside"},
            "spec": {
                "host": service,
                "subsets": [{"name": "only", "labels": {"app": "inside"}}],
            },
        },
    ]


@pytest.fixture(scope="module")
def mesh(api: Any, bundle: dict[str, Any]) -> Iterator[Pods]:
    """Two pods with sidecars, and a door that leads to one of them."""
    from kubernetes import client

    custom = client.CustomObjectsApi(api.api_client)
    with Pods(api, bundle["app-v1"]["name"], STRICT) as pods:
        for item in objects(pods.namespace):
            group, _, version = item["apiVersion"].partition("/")
            plural = {
                "PeerAuthentication": "peerauthentications",
                "Gateway": "gateways",
                "VirtualService": "virtualservices",
                "DestinationRule": "destinationrules",
            }[item["kind"]]
            custom.create_namespaced_custom_object(group, version, pods.namespace, plural, item)
        pods.serve("inside")
        for name in ("inside", "friend"):
            pods.start(name)
        for name in ("inside", "friend"):
            pods.wait(name)
        yield pods


@pytest.fixture(scope="module")
def stranger(pods: Pods) -> str:
    """A pod without a sidecar."""
    pods.start("stranger")
    pods.wait("stranger")
    return "stranger"


# -- The way in -----------------------------------------------------------------------------


def test_the_gateway_answers_at_every_machine(
    mesh: Pods, addresses: dict[str, str], eventually: Any
) -> None:
    """A request for the host that the door is for gets to the pod behind it."""
    for address in addresses.values():
        url = f"http://{address}:{HTTP}/some/path"
        # A new route gets to the gateways some time after the API has taken it.
        eventually(lambda url=url: get(url, Host=HOST).status, 200, 20)
        assert get(url, Host=HOST).document["path"] == "/some/path"
        assert get(url, Host="other.test").status == 404


@pytest.mark.parametrize("istio", ["ingressgateway", "pilot"])
def test_each_worker_has_one(api: Any, istio: str) -> None:
    pods = api.list_namespaced_pod(SYSTEM, label_selector=f"istio={istio}").items
    assert {condition(pod, "Ready") for pod in pods} == {"True"}
    assert sorted(pod.spec.node_name for pod in pods) == ["worker-1", "worker-2"]


def test_the_port_for_https_is_there(api: Any) -> None:
    ports = api.read_namespaced_service("istio-ingressgateway", SYSTEM).spec.ports
    assert {port.name: port.node_port for port in ports} == {"http2": HTTP, "https": HTTPS}


# -- Sidecars -------------------------------------------------------------------------------


def test_a_pod_gets_a_sidecar_and_needs_no_rights_for_it(
    mesh: Pods, bundle: dict[str, Any]
) -> None:
    """Pod Security `restricted` has let it in, so nothing in it changes the packet filter."""
    pod = mesh.wait("inside")
    statuses = [*(pod.status.init_container_statuses or []), *pod.status.container_statuses]
    images = {status.name: status.image_id for status in statuses}
    assert images["istio-proxy"].endswith(bundle["istio-proxy"]["digest"])


def test_mutual_tls_carries_who_asks(mesh: Pods) -> None:
    answer = mesh.ask("friend", f"http://inside:{PORT}/")
    assert answer.status == 200, answer.body
    identity = answer.document["headers"]["x-forwarded-client-cert"]
    assert f"URI=spiffe://cluster.local/ns/{mesh.namespace}/sa/default" in identity


def test_plain_text_is_refused(mesh: Pods, pods: Pods, stranger: str) -> None:
    """And the same request is answered where there is no sidecar: it is the mesh that refuses."""
    pod = mesh.wait("inside")
    refused = pods.ask(stranger, f"http://{pod.status.pod_ip}:{PORT}/")
    assert refused.status == 0
    assert "ConnectionResetError" in refused.body
    pods.start("plain")
    address = pods.wait("plain").status.pod_ip
    assert pods.ask(stranger, f"http://{address}:{PORT}/").status == 200


# -- What is counted ------------------------------------------------------------------------


def requests_counted(api: Any, namespace: str) -> int:
    """Answers from the pod behind the door, as all gateways count them, by subset."""
    cluster = f"outbound|{PORT}|only|inside.{namespace}.svc.cluster.local"
    total = 0
    for pod in api.list_namespaced_pod(SYSTEM, label_selector="istio=ingressgateway").items:
        said = api.connect_get_namespaced_pod_proxy_with_path(
            f"{pod.metadata.name}:15090", SYSTEM, "stats/prometheus"
        )
        for line in said.splitlines():
            if line.startswith("envoy_cluster_upstream_rq_total{") and f'"{cluster}"' in line:
                total += int(line.split()[-1])
    return total


def test_requests_are_counted_by_subset(mesh: Pods, api: Any, addresses: dict[str, str]) -> None:
    before = requests_counted(api, mesh.namespace)
    for _ in range(7):
        assert get(f"http://{addresses['control']}:{HTTP}/", Host=HOST).status == 200
    assert requests_counted(api, mesh.namespace) - before == 7


# -- Objects --------------------------------------------------------------------------------


def route(gateway: str, host: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        # Without the label of a revision, as anybody would write it.
        "metadata": {"name": name},
        "spec": {
            "hosts": [host],
            "gateways": [gateway],
            "http": [{"route": [{"destination": {"host": "inside"}}]}],
        },
    }


def test_an_object_that_istio_can_not_use_is_refused(pods: Pods, api: Any) -> None:
    """Istio asks to be asked about each of its objects, and lets none through meanwhile."""
    from kubernetes import client

    custom = client.CustomObjectsApi(api.api_client)
    place = ("networking.istio.io", "v1", pods.namespace, "virtualservices")
    custom.create_namespaced_custom_object(*place, route("door", "*", "right"))
    with pytest.raises(client.ApiException) as refused:
        custom.create_namespaced_custom_object(*place, route("mesh", "*", "wrong"))
    assert refused.value.status == 400
    assert "wildcard host * is not allowed" in refused.value.body
