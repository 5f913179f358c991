# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import importlib
from dataclasses import replace

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release.model import (
    Canary,
    Progress,
    Release,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.spec import read
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import (
    WAITING,
    Document,
    Pair,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.opening import (
    Asked,
    asked,
    goes_on,
    pair_of,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.refusal import Refusal

SERVICES = ("app", "model-service")


def image(service: str, version: str, digest: str = "") -> str:
    letter = digest or version[-1]
    return f"x/{service}:{version}@sha256:{letter * 64}"


def release(*versions: str, canary: tuple[str, int] | None = None) -> Release:
    found, problems = read(
        {
            "name": "digits",
            "namespace": "digits",
            "stable": "v1",
            "versions": {
                version: {service: image(service, version) for service in SERVICES}
                for version in versions
            },
            "services": {"app": {"port": 80, "entry": True}, "model-service": {"port": 80}},
        }
    )
    assert found, problems
    return replace(found, canary=Canary(*canary) if canary else None)


DIGESTS = {f"docker.io/x/{service}:v3": f"sha256:{'3' * 64}" for service in SERVICES}
FILE = release("v1", "v2")


def test_a_listed_version_needs_no_images() -> None:
    pair = pair_of(Asked("v2", {}), release("v1", "v2"), FILE, {})
    assert pair == {service: image(service, "v2") for service in SERVICES}


def test_a_new_version_is_looked_up_in_the_bundle() -> None:
    given = {service: f"x/{service}:v3" for service in SERVICES}
    assert pair_of(Asked("v3", given), release("v1"), FILE, DIGESTS) == {
        service: image(service, "v3") for service in SERVICES
    }


def test_a_version_that_was_only_added_to_the_file_is_known() -> None:
    assert pair_of(Asked("v3", {}), release("v1"), release("v1", "v3"), {})


def test_a_canary_goes_on_with_the_images_that_run() -> None:
    live = release("v1", "v3", canary=("v3", 10))
    assert pair_of(Asked("v3", {}), live, FILE, {}) == live.versions["v3"]


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_another_canary_is_decided_first(version: str) -> None:
    live = release("v1", "v2", canary=("v2", 10))
    with pytest.raises(Refusal) as refused:
        pair_of(Asked(version, {}), live, FILE, {})
    assert str(refused.value) == (
        f"v2 is the canary of digits now, at 10%; expected no canary, or {version} itself. "
        "Decide it first: ansible-playbook playbooks/promote.yml, or "
        "ansible-playbook playbooks/rollback.yml"
    )


def test_a_version_that_nobody_knows_needs_both_images() -> None:
    with pytest.raises(Refusal, match="v3 is none of the release's versions .v1, v2.*app and mod"):
        pair_of(Asked("v3", {}), release("v1"), FILE, DIGESTS)
    with pytest.raises(Refusal, match="and model-service got no image.*-e model_image=NAME:TAG"):
        pair_of(Asked("v3", {"app": "x/app:v3"}), release("v1"), FILE, DIGESTS)


def test_an_image_that_the_bundle_lacks_is_named_with_what_to_do() -> None:
    given = {"app": "x/app:v9", "model-service": "x/model-service:v3"}
    with pytest.raises(Refusal, match="x/app:v9 is not in the bundle; add it with `make image"):
        pair_of(Asked("v9", given), release("v1"), FILE, DIGESTS)
    with pytest.raises(Refusal, match="got 'no image'; expected an image reference"):
        pair_of(Asked("v9", {"app": "no image"}), release("v1"), FILE, DIGESTS)


def test_a_version_is_one_pair_of_images() -> None:
    with pytest.raises(Refusal, match=r"versions.v2.app is x/app:v2@.* already.*another name"):
        pair_of(Asked("v2", {"app": "x/app:v3"}), release("v1"), FILE, DIGESTS)


def test_the_same_images_again_show_nothing() -> None:
    same = {service: image(service, "v3", digest="1") for service in SERVICES}
    with pytest.raises(Refusal, match="v3 has the same images as v1, which is stable"):
        pair_of(Asked("v3", same), release("v1"), FILE, {})
    # A new model with the same app is the commonest release.
    same["model-service"] = image("model-service", "v3")
    assert pair_of(Asked("v3", same), release("v1"), FILE, {}) == same


def test_the_images_of_a_playbook_go_to_the_entry_and_to_what_is_behind_it() -> None:
    found = asked(FILE, "v3", "x/app:v3", "x/model-service:v3")
    assert found.images == {"app": "x/app:v3", "model-service": "x/model-service:v3"}
    assert asked(FILE, "v2", None, None).images == {}


@pytest.mark.parametrize(
    ("module", "options", "told"),
    [
        ("rollout_shift", {"weight": 137}, "weight: got 137; expected an integer from 0 to 100"),
        ("rollout_status", {"window": -3}, "window: got -3; expected seconds above 0"),
        ("rollout_drill", {"percent": 0}, "percent: got 0; expected an integer 1 to 100"),
        ("rollout_drill", {"status": 404}, "status: got 404; expected an integer 500 to 599"),
        ("rollout_drill", {"milliseconds": 0}, "milliseconds: got 0; expected an integer 1 to"),
    ],
)
def test_numbers_out_of_range_are_refused(module: str, options: dict[str, int], told: str) -> None:
    action = importlib.import_module(f"ansible_collections.roost.cluster.plugins.action.{module}")
    defaults = {
        name: option["default"] for name, option in action.ARGUMENTS.items() if "default" in option
    }
    with pytest.raises(Refusal, match=told):
        action.ActionModule.check(None, {**defaults, **options})
    # What is there by default is fine.
    if module != "rollout_shift":
        action.ActionModule.check(None, defaults)


@pytest.mark.parametrize(
    ("progress", "ended", "goes"),
    [
        (Progress("abcd1234", (10,)), (), True),
        (None, (), True),
        (Progress("other567", (10,)), (), False),
        (None, ("abcd1234",), False),
    ],
)
def test_a_canary_with_the_cookies_of_another_rollout_begins_one_of_its_own(
    progress: Progress | None, ended: tuple[str, ...], goes: bool
) -> None:
    live = replace(release("v1", "v2", canary=("v2", 10)), progress=progress, ended=ended)
    stable, canary = (Pair(version, dict(live.versions[version])) for version in ("v1", "v2"))
    earlier = Document(
        "abcd1234", "digits", "digits", "ann@desk", "then", stable, canary, {}, outcome=WAITING
    )
    assert goes_on(earlier, live, stable, canary) is goes
