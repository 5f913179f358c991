# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The release, under real requests at the address that users have."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from tests.command import REPOSITORY
from tests.pods import Answer, Pods, condition, get

DEFINITION = REPOSITORY / "inventory" / "group_vars" / "all" / "release.yml"
REQUESTS = 1200
CONCURRENT = 8
# How many standard deviations the measured share may be away from the wanted one: by chance it is
# further away once in 16,000 runs.
DEVIATIONS = 4
VIRTUAL_SERVICES = ("networking.istio.io", "v1", "virtualservices")


@pytest.fixture(scope="session")
def release() -> dict[str, Any]:
    definition: dict[str, Any] = yaml.safe_load(DEFINITION.read_text())["release"]
    return definition


@pytest.fixture(scope="session")
def url(setting: Any) -> str:
    return f"http://127.0.0.1:{setting('http_port')}"


def versions(answer: Answer) -> tuple[str, str]:
    """Of the app and of the model-service that made an answer, as baked into their images."""
    assert answer.status == 200, answer.body
    document = answer.document
    assert answer.headers["x-app-version"] == document["app"]
    assert answer.headers["x-model-version"] == document["model"]
    return document["app"], document["model"]


def pods_of(api: Any, release: dict[str, Any], **labels: str) -> list[Any]:
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    found = api.list_namespaced_pod(release["namespace"], label_selector=selector).items
    return [pod for pod in found if not pod.metadata.deletion_timestamp]


# -- Users ----------------------------------------------------------------------------------


def test_the_page_is_answered(url: str) -> None:
    answer = get(f"{url}/")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")


def test_users_are_split_by_weight_and_pairs_never_mixed(url: str, release: dict[str, Any]) -> None:
    with ThreadPoolExecutor(CONCURRENT) as pool:
        answers = pool.map(lambda _: versions(get(f"{url}/api/version")), range(REQUESTS))
        pairs = Counter(answers)
    stable, canary = release["stable"], release["canary"]["version"]
    print(dict(pairs))
    assert set(pairs) == {(stable, stable), (canary, canary)}
    share = release["canary"]["weight"] / 100
    tolerance = DEVIATIONS * math.sqrt(share * (1 - share) / REQUESTS)
    assert abs(pairs[canary, canary] / REQUESTS - share) < tolerance


@contextmanager
def users(url: str) -> Iterator[list[Answer]]:
    """Requests without a pause while something happens; the list has the answers afterwards."""
    answers: list[Answer] = []
    stop: Future[None] = Future()

    def go_on() -> None:
        while not stop.done():
            answers.append(get(f"{url}/api/version"))

    with ThreadPoolExecutor(CONCURRENT) as pool:
        running = [pool.submit(go_on) for _ in range(CONCURRENT)]
        try:
            yield answers
        finally:
            stop.set_result(None)
            for each in running:
                each.result()


def evict(api: Any, pod: Any) -> int:
    """As a drain of its machine does it; the status that the API answers with."""
    from kubernetes import client

    eviction = {"metadata": {"name": pod.metadata.name, "namespace": pod.metadata.namespace}}
    try:
        api.create_namespaced_pod_eviction(pod.metadata.name, pod.metadata.namespace, eviction)
    except client.ApiException as error:
        return int(error.status)
    return 201


@pytest.mark.parametrize("service", ["app", "model-service"])
def test_nobody_notices_a_pod_that_has_to_go(
    url: str, api: Any, release: dict[str, Any], service: str, eventually: Any
) -> None:
    labels = {"app": service, "version": release["stable"]}

    def ready() -> int:
        return sum(condition(pod, "Ready") == "True" for pod in pods_of(api, release, **labels))

    replicas = release["services"][service]["replicas"]
    eventually(ready, replicas, 60)
    first, second = pods_of(api, release, **labels)
    with users(url) as answers:
        assert evict(api, first) == 201
        # One at a time.
        assert evict(api, second) == 429
        eventually(lambda: first.metadata.name in names(api, release), False, 60)
        eventually(ready, replicas, 60)
    assert len(answers) > 100
    assert {answer.status for answer in answers} == {200}


def names(api: Any, release: dict[str, Any]) -> set[str]:
    """Every pod, also one that is going."""
    return {pod.metadata.name for pod in api.list_namespaced_pod(release["namespace"]).items}


# -- Pods -----------------------------------------------------------------------------------


def test_every_worker_has_each_version_of_each_service(api: Any, release: dict[str, Any]) -> None:
    pods = [pod for pod in pods_of(api, release) if condition(pod, "Ready") == "True"]
    places = {
        (pod.metadata.labels["app"], pod.metadata.labels["version"], pod.spec.node_name)
        for pod in pods
    }
    wanted = (release["stable"], release["canary"]["version"])
    assert places == {
        (service, version, node)
        for service in release["services"]
        for version in wanted
        for node in ("worker-1", "worker-2")
    }


def test_pods_run_the_bundles_images(
    api: Any, release: dict[str, Any], bundle: dict[str, Any]
) -> None:
    digests = {entry["name"]: entry["digest"] for entry in bundle.values() if "digest" in entry}
    for pod in pods_of(api, release):
        service, version = pod.metadata.labels["app"], pod.metadata.labels["version"]
        [status] = [each for each in pod.status.container_statuses if each.name == service]
        assert status.image_id.endswith(digests[release["versions"][version][service]])


def test_the_namespace_lets_no_strong_pod_in(api: Any, release: dict[str, Any]) -> None:
    from kubernetes import client

    strong = {
        "metadata": {"name": "strong"},
        "spec": {
            "containers": [
                {"name": "main", "image": "any", "securityContext": {"privileged": True}}
            ]
        },
    }
    with pytest.raises(client.ApiException) as refused:
        api.create_namespaced_pod(release["namespace"], strong)
    assert refused.value.status == 403
    assert "violates PodSecurity" in refused.value.body


# -- Others in the cluster ------------------------------------------------------------------


@pytest.fixture(scope="module")
def stranger(pods: Pods) -> str:
    """A pod without a sidecar; that it reaches another such pod, it has shown."""
    for name in ("stranger", "plain"):
        pods.start(name)
    address = pods.wait("plain").status.pod_ip
    pods.wait("stranger")
    assert pods.ask("stranger", f"http://{address}:8080/").status == 200
    return "stranger"


@pytest.mark.parametrize("service", ["app", "model-service"])
def test_plain_text_is_refused(
    pods: Pods, api: Any, release: dict[str, Any], stranger: str, service: str
) -> None:
    port = release["services"][service]["port"]
    for pod in pods_of(api, release, app=service):
        refused = pods.ask(stranger, f"http://{pod.status.pod_ip}:{port}/healthz")
        assert refused.status == 0
        assert "ConnectionResetError" in refused.body


def test_a_caller_of_another_kind_gets_the_stable_version(
    api: Any, bundle: dict[str, Any], release: dict[str, Any]
) -> None:
    """In the mesh, but no part of the release, so that nothing says which version it belongs to."""
    with Pods(api, bundle["app-v1"]["name"], {"istio-injection": "enabled"}) as mesh:
        mesh.start("caller")
        mesh.wait("caller")
        address = f"http://app.{release['namespace']}:8080/api/version"
        seen = Counter(versions(mesh.ask("caller", address)) for _ in range(12))
    assert set(seen) == {(release["stable"], release["stable"])}


# -- What is done by hand -------------------------------------------------------------------


def test_a_weight_that_was_moved_by_hand_stays(
    api: Any, release: dict[str, Any], converge: Any
) -> None:
    """The role is applied again, changes nothing, and says that the file differs."""
    from kubernetes import client

    custom = client.CustomObjectsApi(api.api_client)
    group, version, plural = VIRTUAL_SERVICES
    place = (group, version, release["namespace"], plural)
    found = custom.list_namespaced_custom_object(*place)["items"]
    [draw] = [item for item in found if item["spec"].get("gateways", ["mesh"]) != ["mesh"]]
    name = draw["metadata"]["name"]

    def weights() -> list[int]:
        live = custom.get_namespaced_custom_object(*place, name)
        return [route["weight"] for route in live["spec"]["http"][0]["route"]]

    def move(first: int, second: int) -> None:
        http = custom.get_namespaced_custom_object(*place, name)["spec"]["http"]
        for route, weight in zip(http[0]["route"], (first, second)):
            route["weight"] = weight
        custom.patch_namespaced_custom_object(*place, name, {"spec": {"http": http}})

    before = weights()
    move(70, 30)
    try:
        ran = converge()
        assert ran.code == 0
        assert {counts["changed"] for counts in ran.recap.values()} == {0}
        assert "live differs from the file" in ran.output
        assert weights() == [70, 30]
    finally:
        move(*before)
