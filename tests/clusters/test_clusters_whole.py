# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster from official releases, which this machine plays: it loses nodes, grows, is halted
while another one goes, and comes back.

The tests stand in the order in which they run.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.backend import FETCH
from bundle.cache import Cache, Lock
from bundle.components import Components
from tests import plans
from tests.clusters.conftest import Cluster
from tests.clusters.fetched import PROXY, unfilled
from tests.course import ready, settle, watch
from tests.e2e.conftest import docker, kernel_settings
from tests.official_sites import official_sites

GROWN = {"control", "worker-1", "worker-2", "worker-3", "worker-4"}


@pytest.fixture(scope="module")
def built() -> Cache:
    return Cache()


@pytest.fixture(scope="module")
def second(
    host_before: dict[str, str], built: Cache, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    cluster = unfilled(tmp_path_factory.mktemp("fetched"), built)
    try:
        yield cluster
    finally:
        cluster.run("make", "down")
        # Which is gone as well if `make up` had started it and nobody else uses it.
        cluster.run("host/docker_engine", "start")
        loaded = PROXY.removeprefix("docker.io/")
        if loaded in docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}"):
            docker("image", "rm", loaded)


@pytest.fixture(scope="module")
def machines(first: Cluster) -> Iterator[Cluster]:
    """Another cluster, of which only the machines are there."""
    try:
        assert first.run("python3", "host/settings.py", "record", WORKERS="1").code == 0
        assert first.run("python", "host/nodes.py", "up").code == 0
        yield first
    finally:
        first.forget()


def test_the_official_releases_are_fetched(second: Cluster, built: Cache, tmp_path: Path) -> None:
    with official_sites(built, tmp_path) as (site, environment):
        filled = second.run("python", "-m", "bundle", "fill", **environment)
        asked = {path for path, _span in site.requests}
    assert filled.code == 0
    assert "bundle: fetch (dl.k8s.io answers)" in filled.output
    lock = Lock(Path(second.settings["ROOST_CACHE"]) / "bundle.lock")
    assert lock.backend == FETCH
    wanted = Components(FETCH).components
    assert set(lock.components) == set(wanted)
    assert lock.components["istio-proxy"]["name"] == PROXY
    assert set(lock.releases) == {
        item.release if item.kind == "image" else item.sources[0].spec["url"]
        for item in wanted.values()
        if item.release
    }
    for url in lock.releases:
        if url.startswith("https://"):
            assert url.removeprefix("https://") in asked


def test_it_becomes_a_cluster_without_any_site(second: Cluster) -> None:
    """Nobody is there any more who could be asked."""
    made = second.up(WORKERS="2")
    assert made.code == 0
    assert "bundle: fetch (the bundle's content came from it)" in made.output
    assert second.serves()
    pods = json.loads(second.kubectl("get", "pods", "--all-namespaces", "--output=json"))["items"]
    images = {
        container["image"].partition("@")[0]
        for pod in pods
        for part in ("containers", "initContainers")
        for container in pod["spec"].get(part, [])
    }
    assert PROXY in images


@pytest.fixture(scope="module")
def restarted() -> dict[str, float]:
    """When a node was started again."""
    return {}


@pytest.mark.parametrize(
    ("node", "away", "back", "seconds"),
    [
        ("control", "kill", "start", 20),
        ("worker-1", "kill", "start", 80),
        # Frozen, it takes what comes and answers nothing.
        ("worker-2", "pause", "unpause", 80),
    ],
)
def test_its_address_goes_on_answering_when_any_node_is_away(
    second: Cluster, restarted: dict[str, float], node: str, away: str, back: str, seconds: float
) -> None:
    settle(second.url, lambda: ready(second.kubectl, restarted))
    print(second.kubectl("get", "pods", "--all-namespaces", "--output=wide"))
    container = f"roost-{second.name}-{node}"

    def leave() -> None:
        docker(away, container)

    try:
        course = watch(second.url, seconds, leave)
    finally:
        if back == "start":
            restarted[node] = time.time()
        docker(back, container)
    print(node, course)
    assert course.before == 0
    assert course.gap < 3
    # Kubernetes notices within 60 s: 50 s after it has looked, every 5 s, at a lease; proxies then.
    assert course.normal_after < 70


def test_it_is_seen_grown_by_a_later_plain_playbook(second: Cluster) -> None:
    assert second.up(WORKERS="4").code == 0
    plain = second.run("ansible-playbook", "playbooks/site.yml")
    assert plain.code == 0
    assert set(plain.recap) == {*GROWN, "localhost"}
    assert plain.changed == 0
    nodes = json.loads(second.kubectl("get", "nodes", "--output=json"))["items"]
    ready = {
        node["metadata"]["name"]
        for node in nodes
        for condition in node["status"]["conditions"]
        if (condition["type"], condition["status"]) == ("Ready", "True")
    }
    assert ready == GROWN


def test_it_does_not_shrink(second: Cluster) -> None:
    before = second.containers()
    refused = second.up(WORKERS="3")
    assert refused.code != 0
    assert "settings: WORKERS: the cluster twin lives" in refused.said
    assert "with workers 4 and can't change to 3, only grow" in refused.said
    assert second.containers() == before


def test_halted_it_keeps_its_ports(second: Cluster, third: Cluster) -> None:
    assert second.run("vagrant", "halt").code == 0
    port = second.settings["ROOST_HTTP_PORT"]
    refused = third.run("make", "up", ROOST_HTTP_PORT=port)
    assert refused.code != 0
    holder = f"the cluster twin of {second.checkout}"
    assert f"ROOST_HTTP_PORT: 127.0.0.1:{port} is taken by {holder}" in refused.said


def test_halted_it_tells_who_has_taken_its_port(second: Cluster) -> None:
    port = second.settings["ROOST_HTTP_PORT"]
    with socket.create_server(("127.0.0.1", int(port))):
        refused = second.run("make", "up")
    assert refused.code != 0
    assert f"127.0.0.1:{port} is taken by process {os.getpid()} (" in refused.said


def test_halted_it_is_not_touched_by_the_end_of_another(second: Cluster, machines: Cluster) -> None:
    while_there = kernel_settings()
    halted, kept = second.containers(), second.left_over()
    assert len(halted) == len(GROWN) + 1, "the machines and the edge"
    assert machines.run("make", "down").code == 0
    assert machines.left_over() == []
    assert second.containers() == halted
    assert second.left_over() == kept
    # It is there, so the machine isn't given back yet.
    assert kernel_settings() == while_there


def test_it_comes_back_as_it_was(second: Cluster, tmp_path: Path) -> None:
    before = {name: held.partition("@")[0] for name, held in second.containers().items()}
    plan = tmp_path / "plan.json"
    assert second.up("-e", f"plan_file={plan}").code == 0
    # Docker writes this file anew at each start of a container.
    assert set(plans.read(plan).changes) == {(node, "node", "/etc/hosts") for node in GROWN}
    after = {name: held.partition("@")[0] for name, held in second.containers().items()}
    assert after == before, "the same containers, started again"
    assert second.serves()


def test_the_last_leaves_the_machine_as_it_was(
    second: Cluster, host_before: dict[str, str]
) -> None:
    assert second.run("vagrant", "destroy", "--force").code == 0
    assert kernel_settings() == host_before
    # Which is gone as well if `make up` had started it and nobody else uses it.
    assert second.run("host/docker_engine", "start").code == 0
    assert second.left_over() == []
