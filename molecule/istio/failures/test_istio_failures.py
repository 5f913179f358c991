# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An installation that can't be as it is asked for: the gateway that is there goes on answering."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests import faults

SYSTEM = "istio-system"
SOON = 30


@pytest.fixture(autouse=True)
def _goes_on(api: Any) -> Iterator[None]:
    """Whatever fails, the gateway's pods run as before."""
    from kubernetes import client

    yield
    apps = client.AppsV1Api(api.api_client)
    gateway = apps.read_namespaced_deployment_status("istio-ingressgateway", SYSTEM)
    assert gateway.status.available_replicas == 2


@contextmanager
def port_of_another_service(api: Any, port: int) -> Iterator[None]:
    body = {
        "metadata": {"name": "other"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]},
    }
    api.create_namespaced_service("default", body)
    try:
        yield
    finally:
        api.delete_namespaced_service("other", "default")


def test_the_port_is_taken(refused: Any, api: Any) -> None:
    with port_of_another_service(api, 30090):
        said = refused(istio_gateway_http_node_port=30090)
    assert "istio-ingressgateway" in said
    assert "nodePort: Invalid value: 30090: provided port is already allocated" in said
    ports = api.read_namespaced_service("istio-ingressgateway", SYSTEM).spec.ports
    assert 30080 in [port.node_port for port in ports]


def test_a_port_that_is_none_of_the_nodes(refused: Any) -> None:
    said = refused(istio_gateway_http_node_port=80)
    assert "Invalid value: 80: provided port is not in the valid range" in said
    assert "30000-32767" in said


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"components": {"pilott": {}}}, 'unknown field "pilott"'),
        (
            {"meshConfig": {"accessLogFile": 5}},
            "cannot unmarshal number into Go value of type string",
        ),
        ({"profile": "none-such"}, "none-such"),
    ],
)
def test_a_specification_that_istioctl_refuses(refused: Any, spec: Any, said: str) -> None:
    told = refused(istio_operator_spec=spec)
    assert "manifest generate --filename -` ended with 1; look at istio_operator_spec" in told
    assert said in told


def test_an_image_that_the_registry_lacks(
    converge: Any, recovers: Any, bundle: dict[str, Any]
) -> None:
    wrong = copy.deepcopy(bundle)
    wrong["istio-proxy"]["name"] = "docker.io/istio/proxyv2:9.9.9"
    options = {"istio_bundle": wrong, "istio_timeout": SOON}
    ran = converge("--extra-vars", json.dumps(options))
    assert ran.code != 0
    assert f"after {SOON} s this is still missing:" in ran.said
    no_image = r"container istio-proxy: (ErrImagePull|ImagePullBackOff): "
    assert re.search(rf"pod istio-ingressgateway-\w+-\w+, {no_image}", ran.said)
    assert "docker.io/istio/proxyv2:9.9.9: not found" in ran.said
    recovers()


def test_an_istioctl_that_is_not_there(refused: Any) -> None:
    said = refused(istio_istioctl="/nowhere/istioctl")
    assert "istio_istioctl: found nothing that can be run at /nowhere/istioctl (No such" in said
    assert "`make bundle`" in said


def test_the_api_does_not_answer(refused: Any, setting: Any, addresses: dict[str, str]) -> None:
    with faults.api_refused(addresses):
        said = refused()
    assert f"the API server of {setting('kubeconfig')} doesn't answer: found" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"istio_gateway_replicas": "two"}, "argument 'istio_gateway_replicas' is of type str"),
        ({"istio_kubeconfig": "/nowhere"}, "there is no kubeconfig at /nowhere: run playbooks/clu"),
        ({"istio_operator_spec": "minimal"}, "argument 'istio_operator_spec' is of type str"),
        (
            {"istio_stats_inclusion": {"cluster": 1}},
            "argument 'istio_stats_inclusion' is of type dict",
        ),
    ],
)
def test_a_wrong_option_is_named(refused: Any, options: dict[str, Any], said: str) -> None:
    assert said in refused(**options)


def test_nothing_is_left_to_do_without_all_this(recovers: Any) -> None:
    recovers()
