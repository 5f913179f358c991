# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster from official releases, which this machine plays.

The tests stand in the order in which they run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.backend import FETCH
from bundle.cache import Cache, Lock
from bundle.components import Components
from tests.clusters.conftest import Cluster
from tests.clusters.fetched import PROXY, unfilled
from tests.e2e.conftest import docker
from tests.official_sites import official_sites


@pytest.fixture(scope="module")
def built() -> Cache:
    return Cache()


@pytest.fixture(scope="module")
def fetched(built: Cache, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = unfilled(tmp_path_factory.mktemp("fetched"), built)
    try:
        yield cluster
    finally:
        cluster.run("make", "down")
        loaded = PROXY.removeprefix("docker.io/")
        if loaded in docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}"):
            docker("image", "rm", loaded)


def test_the_official_releases_are_fetched(fetched: Cluster, built: Cache, tmp_path: Path) -> None:
    with official_sites(built, tmp_path) as (site, environment):
        filled = fetched.run("python", "-m", "bundle", "fill", **environment)
        asked = {path for path, _span in site.requests}
    assert filled.code == 0
    assert "bundle: fetch (dl.k8s.io answers)" in filled.output
    lock = Lock(Path(fetched.settings["ROOST_CACHE"]) / "bundle.lock")
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


def test_it_becomes_a_cluster_without_any_site(fetched: Cluster) -> None:
    """Nobody is there any more who could be asked."""
    made = fetched.up(WORKERS="2")
    assert made.code == 0
    assert "bundle: fetch (the bundle is already filled by it)" in made.output
    assert fetched.serves()
    pods = json.loads(fetched.kubectl("get", "pods", "--all-namespaces", "--output=json"))["items"]
    images = {
        container["image"].partition("@")[0]
        for pod in pods
        for part in ("containers", "initContainers")
        for container in pod["spec"].get(part, [])
    }
    assert PROXY in images
