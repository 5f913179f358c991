# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Descriptions that can't be meant, and pods that don't come up: users keep what they have."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Callable

import pytest
import yaml

from tests import faults
from tests.command import REPOSITORY, Ran
from tests.pods import get

DEFINITION = REPOSITORY / "inventory" / "group_vars" / "all" / "release.yml"
SOON = 30
ISTIO = "networking.istio.io"
REQUESTS = 60

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def release() -> dict[str, Any]:
    """The description, for a test to make it wrong."""
    definition: dict[str, Any] = yaml.safe_load(DEFINITION.read_text())["release"]
    return copy.deepcopy(definition)


@pytest.fixture
def revisions(api: Any, release: dict[str, Any]) -> Callable[[], dict[str, str]]:
    """What Kubernetes counts up when an object of the release is applied."""
    from kubernetes import client

    apps, custom = client.AppsV1Api(api.api_client), client.CustomObjectsApi(api.api_client)
    namespace = release["namespace"]

    def read() -> dict[str, str]:
        items = [
            item.to_dict() for item in apps.list_namespaced_deployment(namespace).items
        ] + custom.list_namespaced_custom_object(ISTIO, "v1", namespace, "virtualservices")["items"]
        return {item["metadata"]["name"]: str(item["metadata"]["generation"]) for item in items}

    return read


@pytest.fixture(autouse=True)
def _served(setting: Any, release: dict[str, Any]) -> Iterator[None]:
    """Whatever fails, users get answers, of one version each."""
    stable = release["stable"]  # a test may change it
    yield
    answers = [get(f"http://127.0.0.1:{setting('http_port')}/api/version") for _ in range(REQUESTS)]
    assert {answer.status for answer in answers} == {200}
    pairs = Counter((answer.document["app"], answer.document["model"]) for answer in answers)
    assert all(app == model for app, model in pairs), pairs
    assert pairs[(stable, stable)] > REQUESTS / 2


# -- Descriptions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda release: release["versions"]["v2"].update(app="roost.internal/digits-app:v9"),
            "release.versions.v2.app: got the text 'roost.internal/digits-app:v9'; expected an "
            "image in the bundle (the bundle has ",
        ),
        (
            lambda release: release["canary"].update(weight=101),
            "release.canary.weight: got 101; expected an integer from 0 to 100",
        ),
        (
            lambda release: release["canary"].update(weight="10"),
            "release.canary.weight: got the text '10'; expected an integer from 0 to 100 (write it "
            "without quotes)",
        ),
        (
            lambda release: release.update(canery=release.pop("canary")),
            "release.canery: got {'version': 'v2', 'weight': 10}; expected one of the keys canary",
        ),
        (
            lambda release: release["services"]["app"].update(consistentHash={"cookie": "a"}),
            "release.services.app.consistentHash: got {'cookie': 'a'}; expected no consistentHash",
        ),
        (
            lambda release: release["versions"].update(v2=dict(release["versions"]["v1"])),
            "release.versions.v2: got the text 'the images of v1'; expected at least one image "
            "that differs from v1's (a canary of the same digests can show nothing)",
        ),
        (
            lambda release: release["services"]["app"].pop("entry"),
            "release.services: got []; expected exactly one service with `entry: true`",
        ),
        (
            lambda release: release["services"]["model-service"].update(entry=True),
            "release.services: got ['app', 'model-service']; expected exactly one service with",
        ),
        (
            lambda release: release.update(stable="v7"),
            "release.stable: got the text 'v7'; expected one of the versions v1, v2",
        ),
        (
            lambda release: release.update(namespace="kube-system"),
            "release.namespace: got the text 'kube-system'; expected a namespace of the release's",
        ),
        (
            lambda release: release.update(tls={"self_signed": True, "secret": "shop"}),
            "release.tls: got {'self_signed': True, 'secret': 'shop'}; expected either "
            "{self_signed: true} or {secret: NAME}",
        ),
        (
            lambda release: release.update(tls={"secret": "shop"}),
            "release.tls.secret: got the text 'shop'; expected a secret of the type "
            "kubernetes.io/tls in istio-system (there is none; kubectl --namespace istio-system "
            "create secret tls shop --cert=FILE --key=FILE)",
        ),
        (
            lambda release: release.pop("versions"),
            "release.versions: missing; expected the key versions",
        ),
    ],
)
def test_a_description_that_cannot_be_meant(
    refused: Any, release: dict[str, Any], revisions: Any, change: Change, said: str
) -> None:
    before = revisions()
    change(release)
    assert said in refused(release=release)
    assert revisions() == before


def test_a_secret_that_is_no_certificate(
    refused: Any, release: dict[str, Any], revisions: Any, api: Any
) -> None:
    before = revisions()
    release["tls"] = {"secret": "shop"}
    words = {"metadata": {"name": "shop"}, "stringData": {"tls.crt": "a", "tls.key": "b"}}
    for kind, said in (
        ("Opaque", "(it is of the type Opaque)"),
        ("kubernetes.io/tls", "(it has no certificate in PEM form under tls.crt)"),
    ):
        api.create_namespaced_secret("istio-system", {**words, "type": kind})
        try:
            assert said in refused(release=release)
        finally:
            api.delete_namespaced_secret("shop", "istio-system")
    assert revisions() == before


def test_all_problems_at_once(refused: Any, release: dict[str, Any], revisions: Any) -> None:
    before = revisions()
    release["canary"]["weight"] = -1
    release["services"]["app"].update(port=99999, replicas=0)
    release["verify"] = {"path": "version"}
    said = refused(release=release)
    for key in ("canary.weight: got -1", "services.app.port: got 99999", "services.app.replicas: "):
        assert f"release.{key}" in said
    assert "release.verify.path: got the text 'version'; expected a path that begins with /" in said
    assert revisions() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"release_definition": "digits"},
            "argument 'release' is of type str",
        ),
        ({"release_timeout": "long"}, "argument 'release_timeout' is of type str"),
        ({"release_kubeconfig": "/nowhere"}, "there is no kubeconfig at /nowhere: run playbooks/"),
        ({"release_lock_path": "/nowhere"}, "there is no bundle.lock at /nowhere: fill the bundle"),
    ],
)
def test_a_wrong_option_is_named(refused: Any, options: dict[str, Any], said: str) -> None:
    assert said in refused(**options)


# -- Pods -----------------------------------------------------------------------------------


def applied(converge: Any, release: dict[str, Any]) -> Ran:
    ran: Ran = converge("--extra-vars", json.dumps({"release": release, "release_timeout": SOON}))
    assert ran.code != 0
    assert "retries left" not in ran.output
    return ran


def of_new_version(release: dict[str, Any]) -> dict[str, Any]:
    """The release with v3 as its canary."""
    release["versions"]["v3"] = {
        "app": "roost.internal/digits-app:v3",
        "model-service": "roost.internal/digits-model-service:v3",
    }
    release["canary"] = {"version": "v3", "weight": 50}
    return release


def test_a_pod_that_crashes_at_its_start(
    converge: Any, recovers: Any, release: dict[str, Any], bundle: dict[str, Any]
) -> None:
    """With its last words; the canary that is there keeps its share."""
    of_new_version(release)["versions"]["v3"]["app"] = bundle["etcd"]["name"]
    ran = applied(converge, release)
    assert re.search(r"app-v3: 0 of 2 pods are (ready|made from)", ran.said)
    assert re.search(
        r"pod app-v3-\w+-\w+, container app: (CrashLoopBackOff|Error with code \d+)", ran.said
    )
    assert re.search(r"\| .*etcd|data-dir|permission denied", ran.said)
    recovers()


def test_a_pod_that_never_gets_ready(converge: Any, recovers: Any, release: dict[str, Any]) -> None:
    """The old pods stay until the new ones are ready, which they never are."""
    release["services"]["app"]["health_path"] = "/no/such/path"
    ran = applied(converge, release)
    assert re.search(r"app-v\d: \d of 2 pods are (ready|made from the latest template)", ran.said)
    assert re.search(
        r"pod app-v\d-\w+-\w+, container app: runs, but is not ready \(\d restarts\)", ran.said
    )
    probe = "(Startup|Readiness) probe failed"
    assert re.search(rf"event Unhealthy of Pod app-v\d-\w+-\w+: {probe}", ran.said)
    assert "statuscode: 404" in ran.said
    recovers()


def test_pods_that_no_node_has_room_for(
    converge: Any, recovers: Any, release: dict[str, Any]
) -> None:
    release["services"]["app"]["resources"] = {
        "requests": {"memory": "900Gi"},
        "limits": {"memory": "900Gi"},
    }
    ran = applied(converge, release)
    assert re.search(
        r"pod app-v\d-\w+-\w+ has no node: 0/3 nodes are available: .*Insufficient memory", ran.said
    )
    recovers()


# -- The cluster ----------------------------------------------------------------------------


def test_the_api_does_not_answer(refused: Any, setting: Any, addresses: dict[str, str]) -> None:
    with faults.api_refused(addresses):
        said = refused()
    assert "The release can't be planned: the API server of" in said
    assert f"{setting('kubeconfig')} doesn't answer: found" in said


def test_nothing_is_left_to_do_without_all_this(recovers: Any) -> None:
    recovers()
