# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where containerd gets images from: nowhere that is not listed."""

from __future__ import annotations

from typing import Any

import pytest
import tomllib
from ansible.errors import AnsibleFilterError
from ansible_collections.roost.cluster.plugins.filter.containerd import (
    proxy_environment,
    registry_files,
)

BUNDLE = "http://192.168.56.100:5000"
PROXY = "http://user:p%40ss@proxy.example:3128"


def hosts(mirrors: list[str], registries: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Path → what containerd reads there."""
    return {
        item["path"].removeprefix("/etc/containerd/certs.d/"): tomllib.loads(item["content"])
        for item in registry_files(mirrors, registries)
    }


def test_by_default_every_image_is_asked_of_the_bundle_alone() -> None:
    assert hosts([BUNDLE], {}) == {
        "_default/hosts.toml": {
            "server": BUNDLE,
            "host": {BUNDLE: {"capabilities": ["pull", "resolve"]}},
        }
    }


def test_a_registrys_mirrors_come_after_the_bundle() -> None:
    mirror = "https://mirror.example/v2/hub"
    found = hosts([BUNDLE], {"docker.io": [mirror], "quay.io:443": ["https://quay.io"]})
    assert list(found) == ["_default/hosts.toml", "docker.io/hosts.toml", "quay.io:443/hosts.toml"]
    docker = found["docker.io/hosts.toml"]
    assert list(docker["host"]) == [BUNDLE, mirror]
    # Where `server` is missing or another one, that is asked as well.
    assert docker["server"] == mirror
    assert list(found["_default/hosts.toml"]["host"]) == [BUNDLE]


@pytest.mark.parametrize(
    ("mirrors", "registries", "said"),
    [
        ([], {}, "expected at least one"),
        (["192.168.56.100:5000"], {}, "_mirrors: expected http.*found '192.168.56.100:5000'"),
        (["http://a'b"], {}, "container_runtime_mirrors: expected http"),
        ([BUNDLE], {"../x": [BUNDLE]}, "registry_mirrors: '../x': expected a name"),
        ([BUNDLE], {"_default": [BUNDLE]}, "registry_mirrors: '_default'"),
        ([BUNDLE], {"docker.io": "https://x"}, "expected a list of mirrors, found 'https://x'"),
        ([BUNDLE], {"docker.io": ["x"]}, "registry_mirrors: docker.io: expected http.*found 'x'"),
    ],
)
def test_what_containerd_could_not_use_is_refused(
    mirrors: list[str], registries: dict[str, Any], said: str
) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        registry_files(mirrors, registries)


def variables(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_without_a_proxy_nothing_is_set() -> None:
    text = proxy_environment({"http": "", "https": "", "no_proxy": ["10.0.0.0/8"]})
    assert variables(text) == []


def test_what_is_near_is_reached_without_the_proxy() -> None:
    text = proxy_environment(
        {"http": "", "https": PROXY, "no_proxy": ["10.0.0.0/8", ".svc", "10.0.0.0/8"]}
    )
    assert variables(text) == [f'HTTPS_PROXY="{PROXY}"', 'NO_PROXY="10.0.0.0/8,.svc"']


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"http": "proxy:3128"}, "http_proxy: expected http://HOST:PORT"),
        ({"https": 'http://p%40ss"b'}, "https_proxy: expected http://HOST:PORT"),
        ({"https": PROXY, "no_proxy": ["a b"]}, "no_proxy: expected .*found 'a b'"),
        ({"https": PROXY, "no_proxy": ["a,b"]}, "no_proxy: expected .*found 'a,b'"),
    ],
)
def test_a_proxy_that_is_none_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said) as raised:
        proxy_environment({"http": "", "https": "", "no_proxy": []} | values)
    assert "p%40ss" not in str(raised.value)
