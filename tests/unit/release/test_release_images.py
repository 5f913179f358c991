# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    images,
    planning,
    resolving,
)
from release_samples import block, digest, digests, lock, tag


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("roost.internal/digits-app:v1", ("roost.internal/digits-app", "v1", None)),
        ("localhost:5000/a/b:1.2_3-x", ("localhost:5000/a/b", "1.2_3-x", None)),
        (f"a@{digest('a')}", ("a", None, digest("a"))),
        (f"a:1@{digest('a')}", ("a", "1", digest("a"))),
    ],
)
def test_references_are_read(reference: str, expected: Any) -> None:
    found = images.parse(reference)
    assert found is not None
    assert (found.name, found.tag, found.digest) == expected


@pytest.mark.parametrize(
    "reference", ["a", "a:", "a/b", "A:1", "a:1 ", "a@sha256:12", "http://a:1", "", None, 1, "a:-x"]
)
def test_what_is_no_reference(reference: Any) -> None:
    assert images.parse(reference) is None


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("me/app", "docker.io/me/app"),
        ("localhost/app", "localhost/app"),
        ("quay.io/me/app", "quay.io/me/app"),
    ],
)
def test_short_names(short: str, full: str) -> None:
    assert images.canonical(short) == full


def test_tags_become_digests_and_digests_stay() -> None:
    pinned = f"a/model@{digest('m')}"
    versions = block()["versions"]
    versions["v2"]["model-service"] = pinned
    found = planning.accept(block(versions=versions), digests())
    assert found["versions"]["v1"]["app"] == f"{tag('app', 'v1')}@{digest(tag('app', 'v1'))}"
    assert found["versions"]["v2"]["model-service"] == pinned
    assert {key: found[key] for key in found if key != "versions"} == {
        key: value for key, value in block().items() if key != "versions"
    }


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (images.lock_digests(lock("v1", "v3")), "the bundle has roost.internal/digits-app:v"),
        ({}, "make image IMAGE=roost.internal/digits-app:v2"),
        (None, "without a bundle no tag can be resolved"),
    ],
)
def test_an_image_that_the_bundle_lacks_is_refused(known: Any, said: str) -> None:
    with pytest.raises(planning.Rejected) as rejected:
        planning.accept(block(), known)
    found = [item for item in rejected.value.problems if item.key == "versions.v2.app"]
    assert said in str(found[0])


def test_two_tags_of_the_same_image_are_refused() -> None:
    known = dict.fromkeys(digests(), digest("same"))
    with pytest.raises(planning.Rejected, match="at least one image that differs"):
        planning.accept(block(), known)


def test_the_lock_is_read(tmp_path: Path) -> None:
    file = tmp_path / "bundle.lock"
    file.write_text(json.dumps(lock("v1")), encoding="utf-8")
    assert resolving.read_lock(str(file)) == {
        tag("app", "v1"): digest(tag("app", "v1")),
        tag("model-service", "v1"): digest(tag("model-service", "v1")),
    }
    assert resolving.read_lock(None) is None
    assert resolving.read_lock("") is None


@pytest.mark.parametrize(("text", "said"), [(None, "fill the bundle"), ("{", "is not JSON")])
def test_a_lock_that_can_not_be_read_is_named(tmp_path: Path, text: Any, said: str) -> None:
    file = tmp_path / "bundle.lock"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(resolving.Unusable, match=said):
        resolving.read_lock(str(file))
