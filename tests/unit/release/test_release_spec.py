# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import spec
from release_samples import block, digest, tag

LONG = "a" * 40
LIMITS = "services/app/resources/limits"


def changed(path: str, value: Any) -> dict[str, Any]:
    """The sample block with one value, at a dotted path, replaced; `...` removes it."""
    result = copy.deepcopy(block())
    *parents, last = path.split("/")
    place = result
    for key in parents:
        place = place.setdefault(key, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return result


def test_the_sample_is_accepted() -> None:
    assert spec.check(block()) == []


@pytest.mark.parametrize(
    ("path", "value", "key", "expected"),
    [
        # Versions that are named and not listed.
        ("stable", "v9", "stable", "one of the versions v1, v2, v3"),
        ("canary/version", "v9", "canary.version", "one of the versions v1, v2, v3"),
        ("canary/version", "v1", "canary.version", "another version than stable"),
        # Weights.
        ("canary/weight", -1, "canary.weight", "an integer from 0 to 100"),
        ("canary/weight", 101, "canary.weight", "an integer from 0 to 100"),
        ("canary/weight", 10.5, "canary.weight", "an integer from 0 to 100"),
        ("canary/weight", True, "canary.weight", "an integer from 0 to 100"),
        ("canary/weight", "10", "canary.weight", "an integer from 0 to 100"),
        ("canary/weight", None, "canary.weight", "an integer from 0 to 100"),
        ("canary/weight", ..., "canary.weight", "the key weight"),
        ("canary/version", ..., "canary.version", "the key version"),
        ("canary", "v2", "canary", "a mapping {version, weight}"),
        ("canary", None, "canary", "leave the key out for no canary"),
        # Unknown keys, at every level.
        ("weigth", 10, "weigth", "one of the keys"),
        ("canary/weigth", 10, "canary.weigth", "one of the keys version, weight"),
        ("services/app/replica", 2, "services.app.replica", "one of the keys"),
        ("services/app/resources/limit", {}, "services.app.resources.limit", "limits, requests"),
        (f"{LIMITS}/gpu", 1, "services.app.resources.limits.gpu", "cpu, memory"),
        ("verify/paths", "/", "verify.paths", "app_header, model_header, path"),
        ("drain/preStop", 3, "drain.preStop", "grace_seconds, pre_stop_seconds"),
        ("versions/v1/ap", tag("app", "v1"), "versions.v1.ap", "app, model-service"),
        # Entry.
        ("services/app/entry", False, "services", "exactly one service with `entry: true`"),
        ("services/model-service/entry", True, "services", "exactly one service with"),
        ("services/app/entry", "yes", "services.app.entry", "true or false"),
        # Images.
        ("versions/v2/app", ..., "versions.v2.app", "an image for the service app"),
        ("versions/v2", {}, "versions.v2.model-service", "an image for the service model-service"),
        ("versions/v2/app", "digits-app", "versions.v2.app", "NAME:TAG or NAME@sha256:DIGEST"),
        ("versions/v2/app", "Digits:v1", "versions.v2.app", "an image reference"),
        ("versions/v2/app", "a/b:v1@sha256:12", "versions.v2.app", "an image reference"),
        ("versions/v2/app", 5, "versions.v2.app", "an image reference"),
        ("versions/v2", "image", "versions.v2", "a mapping with an image for each service"),
        # Names.
        ("name", "Digits", "name", "a DNS-1123 label"),
        ("name", "a" * 64, "name", "a DNS-1123 label"),
        ("name", "-a", "name", "a DNS-1123 label"),
        ("namespace", "di_gits", "namespace", "a DNS-1123 label"),
        ("namespace", "kube-system", "namespace", "a namespace of the release's own"),
        ("namespace", "istio-system", "namespace", "a namespace of the release's own"),
        ("namespace", "default", "namespace", "a namespace of the release's own"),
        ("stable", 1, "stable", "a DNS-1123 label"),
        ("versions/v1.0", {}, "versions.v1.0", "a DNS-1123 label"),
        ("versions/v1-override", {}, "versions.v1-override", "doesn't end in -override"),
        ("services/1st", {"port": 1}, "services.1st", "begins with a letter"),
        ("services/digits-gateway", {"port": 80}, "services.digits-gateway", "another name"),
        # Numbers of a service.
        ("services/app/replicas", 0, "services.app.replicas", "an integer of at least 1"),
        ("services/app/replicas", True, "services.app.replicas", "an integer of at least 1"),
        ("services/app/port", 0, "services.app.port", "an integer from 1 to 65535"),
        ("services/app/port", 70000, "services.app.port", "an integer from 1 to 65535"),
        ("services/app/port", ..., "services.app.port", "the key port"),
        ("services/app/port", 15090, "services.app.port", "Istio's proxy doesn't use"),
        ("services/app", None, "services.app", "a mapping of settings"),
        ("services/app/health_path", "healthz", "services.app.health_path", "begins with /"),
        ("services/app/env", {"A": 1}, "services.app.env.A", "text"),
        ("services/app/env", {"a-b": "1"}, "services.app.env.a-b", "letters, digits and '_'"),
        (f"{LIMITS}/memory", "64MB", "services.app.resources.limits.memory", "a quantity"),
        (f"{LIMITS}/memory", "64Mi", "services.app.resources.requests.memory", "at most the limit"),
        # The rest.
        ("verify", {"app_header": "x"}, "verify.path", "the key path"),
        ("verify/path", "version", "verify.path", "begins with /"),
        ("hosts", "*", "hosts", "a list of host names"),
        ("hosts", [], "hosts", "a list of host names"),
        ("hosts", ["a.*.b"], "hosts[0]", "a host name"),
        ("drain/grace_seconds", 5, "drain.grace_seconds", "more than drain.pre_stop_seconds (5)"),
        ("drain/pre_stop_seconds", 0, "drain.pre_stop_seconds", "an integer from 1 to 3600"),
        ("versions", [], "versions", "a mapping from version to its images"),
        ("services", {}, "services", "exactly one service"),
    ],
)  # fmt: skip
def test_what_is_refused(path: str, value: Any, key: str, expected: str) -> None:
    problems = spec.check(changed(path, value))
    about = [problem for problem in problems if problem.key == key]
    assert about, f"nothing about {key} in {[str(problem) for problem in problems]}"
    assert any(expected in str(problem) for problem in about), [str(item) for item in about]


@pytest.mark.parametrize("key", ["name", "namespace", "stable", "versions", "services"])
def test_a_missing_key_is_named(key: str) -> None:
    problems = spec.check(block(**{key: None}))
    assert f"release.{key}: missing; expected the key {key}" in [str(item) for item in problems]


@pytest.mark.parametrize("value", [None, [], "digits", {}])
def test_a_block_that_is_none_is_refused(value: Any) -> None:
    (problem,) = spec.check(value)
    assert str(problem).startswith("release: got")


def test_the_message_has_key_value_expectation_and_hint() -> None:
    (problem,) = spec.check(changed("canary/weight", "10"))
    assert str(problem) == (
        "release.canary.weight: got the text '10'; expected an integer from 0 to 100 "
        "(write it without quotes)"
    )
    assert problem.as_dict()["value"] == "10"


def test_an_unknown_key_gets_the_nearest_known_one() -> None:
    (problem,) = spec.check(changed("services/app/replica", 2))
    assert "did you mean replicas?" in str(problem)


@pytest.mark.parametrize(
    "path", ["consistentHash", "services/app/consistent_hash", "canary/consistentHash"]
)
def test_consistent_hash_gets_its_own_explanation(path: str) -> None:
    problems = [str(item) for item in spec.check(changed(path, {"httpCookie": {}}))]
    assert len(problems) == 1
    assert "draws the version at random first" in problems[0]


def test_all_problems_come_at_once() -> None:
    wrong = block(
        stable="v9",
        canary={"version": "v2", "weight": 300},
        name="No",
        extra=1,
        namespace="default",
    )
    keys = {problem.key for problem in spec.check(wrong)}
    assert keys == {"stable", "canary.weight", "name", "extra", "namespace"}


def same(**versions: dict[str, str]) -> dict[str, Any]:
    return block(versions=versions)


PAIR = {"app": "a/app:1", "model-service": "a/model:1"}
PINNED = {"app": f"a/app@{digest('a')}", "model-service": f"a/model@{digest('m')}"}


@pytest.mark.parametrize(
    ("stable", "canary"),
    [
        (PAIR, PAIR),
        (PINNED, PINNED),
        # Other names and tags of the same bytes.
        (PINNED, {"app": f"b/app:2@{digest('a')}", "model-service": f"b/m@{digest('m')}"}),
        ({**PAIR, "app": "app:1"}, {**PAIR, "app": "docker.io/library/app:1"}),
    ],
)
def test_a_canary_of_the_same_images_is_refused(stable: Any, canary: Any) -> None:
    (problem,) = spec.check(same(v1=stable, v2=canary))
    assert problem.key == "versions.v2"
    assert "at least one image that differs" in str(problem)


def test_one_image_may_be_the_same() -> None:
    assert spec.check(same(v1=PAIR, v2={**PAIR, "model-service": "a/model:2"})) == []


def test_a_listed_version_may_repeat_images() -> None:
    assert spec.check(same(v1=PAIR, v2={**PAIR, "app": "a/app:2"}, v3=PAIR)) == []


def test_a_version_and_a_service_fit_into_one_name() -> None:
    wrong = block(
        versions={LONG: PAIR, "v2": {**PAIR, "app": "a/app:2"}},
        stable=LONG,
        services={
            "app": {"port": 8080, "entry": True},
            "model-service": {"port": 8080},
            "b" * 30: {"port": 1},
        },
    )
    assert any("at most 63 characters" in str(item) for item in spec.check(wrong))


def test_defaults() -> None:
    release, problems = spec.read(
        block(
            canary=None,
            services={"app": {"port": 80, "entry": True}, "model-service": {"port": 81}},
        )
    )
    assert problems == []
    assert release is not None
    assert release.canary is None
    assert release.weights == {"v1": 100}
    assert release.deployed == ("v1",)
    assert release.hosts == ("*",)
    assert release.services["app"].replicas == 2
    assert release.services["app"].health_path == "/healthz"
    assert release.verify.app_header == "x-app-version"
    assert release.drain.grace_seconds > release.drain.pre_stop_seconds
    assert release.entry.name == "app"


def test_ones_own_verify_path_has_no_headers_of_its_own() -> None:
    release, _problems = spec.read(block(verify={"path": "/"}))
    assert release is not None
    assert (release.verify.app_header, release.verify.model_header) == (None, None)


def test_resources_are_merged_with_the_defaults() -> None:
    release, _problems = spec.read(changed("services/app/resources/limits/memory", "512Mi"))
    assert release is not None
    assert release.services["app"].resources["limits"] == {"cpu": "1", "memory": "512Mi"}
    assert release.services["app"].resources["requests"]["memory"] == "96Mi"


def test_what_is_read_can_be_written_and_read_again() -> None:
    release, _problems = spec.read(block(hosts=["a.example", "*.b.example"]))
    assert release is not None
    assert spec.read(release.as_block()) == (release, [])
