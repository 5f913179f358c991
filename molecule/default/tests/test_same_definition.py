# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A node that is made in seconds, for tests, is what Vagrant makes for users: Docker says so.

Vagrant makes one node of another cluster, and all that Docker says of the two is compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from host import docker_cli
from tests.command import run

TWIN = {
    "ROOST_CLUSTER": "twin",
    "ROOST_SUBNET": "192.168.60.0/24",
    "ROOST_HTTP_PORT": "18082",
    "ROOST_HTTPS_PORT": "18445",
    "WORKERS": "1",
}
NODE = "control"

# What differs between any two containers, and why.
ALLOWED = {
    "Networks.bridge.EndpointID": "an id of its own",
    "Networks.bridge.IPAddress": "the next one that is free",
    "Networks.bridge.MacAddress": "made from the address",
    "Networks.roost-CLUSTER.Aliases.0": "the container's id",
    "Networks.roost-CLUSTER.EndpointID": "an id of its own",
    "Networks.roost-CLUSTER.MacAddress": "made from the address, in networks that differ",
    "Networks.roost-CLUSTER.NetworkID": "two clusters, two networks",
}


@pytest.fixture(scope="module")
def vagrants() -> Iterator[Any]:
    """What Docker says of a node that Vagrant has made."""
    try:
        made = run("vagrant", "up", NODE, "--no-provision", **TWIN)
        assert made.code == 0
        yield described(TWIN["ROOST_CLUSTER"], TWIN["ROOST_SUBNET"])
    finally:
        run("vagrant", "destroy", "--force", **TWIN)
        run("tests/leftovers", "twin")


def described(cluster: str, subnet: str) -> Any:
    """All that makes a container what it is, with the same words for cluster and network."""
    labels = (f"{docker_cli.CLUSTER_LABEL}={cluster}", f"{docker_cli.NODE_LABEL}={NODE}")
    [container] = docker_cli.containers(*labels)
    parts = {
        "Config": container["Config"],
        "HostConfig": container["HostConfig"],
        "Mounts": sorted(container["Mounts"], key=lambda mount: str(mount["Destination"])),
        "Networks": container["NetworkSettings"]["Networks"],
        "Image": container["Image"],
    }
    text = json.dumps(parts)
    for own, common in ((cluster, "CLUSTER"), (subnet.rpartition(".")[0], "SUBNET")):
        text = text.replace(f"roost-{own}", f"roost-{common}").replace(f'"{own}"', f'"{common}"')
        text = text.replace(f"{own}.", f"{common}.")
    return json.loads(text)


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Every leaf by its path; empty and absent are the same to Docker."""
    items: Any = []
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    elif value not in (None, "", 0, False):
        return {path: value}
    return {
        key: leaf
        for name, each in items
        for key, leaf in flat(each, f"{path}.{name}" if path else str(name)).items()
    }


def test_both_are_the_same_container(vagrants: Any, setting: Any) -> None:
    quick = flat(described(setting("cluster"), setting("subnet")))
    by_vagrant = flat(vagrants)
    assert quick["HostConfig.CapAdd.0"] == "ALL"
    different = {
        path: (by_vagrant.get(path), quick.get(path))
        for path in {*quick, *by_vagrant}
        if by_vagrant.get(path) != quick.get(path)
    }
    assert {path: pair for path, pair in different.items() if path not in ALLOWED} == {}
    assert set(ALLOWED) == set(different), "nothing is allowed to differ that doesn't"
