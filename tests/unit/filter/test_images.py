# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is fetched ahead is what pods will ask for, by the same names."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.filter.images import images_ahead

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def image(name: str, digest: str) -> dict[str, Any]:
    return {"kind": "image", "name": name, "digest": digest}


FLANNEL = [f"ghcr.io/flannel-io/flannel@{OTHER}", "ghcr.io/flannel-io/flannel:v1"]
BUNDLE = {
    "flannel": image("ghcr.io/flannel-io/flannel:v1", OTHER),
    "app-v1": image("roost.internal/app:v1", DIGEST),
    "app-v2": image("roost.internal/app:v2", OTHER),
    "kubelet": {"kind": "file", "name": "files/kubelet:v1"},
}
RELEASE = {
    "stable": "v1",
    "canary": {"version": "v2", "weight": 10},
    "versions": {
        "v1": {"app": "roost.internal/app:v1"},
        "v2": {"app": f"example.org/app@{OTHER}"},
        "v3": {"app": "roost.internal/app:v2"},
    },
}


def test_pods_of_a_release_run_digests() -> None:
    """v3 is only listed, and has no pods."""
    assert images_ahead(BUNDLE, ["flannel"], RELEASE) == [
        *FLANNEL,
        f"roost.internal/app@{DIGEST}",
        f"example.org/app@{OTHER}",
    ]


def test_without_a_canary() -> None:
    release = {key: value for key, value in RELEASE.items() if key != "canary"}
    assert images_ahead(BUNDLE, [], release) == [f"roost.internal/app@{DIGEST}"]


@pytest.mark.parametrize(
    "release",
    [
        {},
        {"stable": "v9", "versions": {"v1": {}}},
        {"stable": "v1", "versions": {"v1": {"app": "roost.internal/app:v7"}}},
        {"stable": "v1", "versions": {"v1": {"app": 5}}},
        {"stable": "v1", "versions": ["v1"]},
        {"stable": "v1", "canary": "v2", "versions": {"v1": {"app": "roost.internal/app:v1"}}},
        {"stable": ["v1"], "versions": {"v1": {}}},
    ],
)
def test_a_wrong_description_is_left_to_who_applies_it(release: dict[str, Any]) -> None:
    assert images_ahead(BUNDLE, ["flannel"], release) == FLANNEL
