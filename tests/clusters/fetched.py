# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A checkout with a bundle of its own, of which nothing is there yet that has a release."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bundle.backend import FETCH
from bundle.cache import Cache, Lock
from bundle.components import Components
from bundle.names import repository_of
from tests.clusters.conftest import SECOND, Cluster, clone

LIST = "bundle/components.yml"
PROXY = "docker.io/istio/proxyv2:1.31.0"


def unfilled(folder: Path, built: Cache) -> Cluster:
    """Nothing says how its bundle is to be filled, and there is no Go that could build anything."""
    checkout = clone(folder / "checkout")
    # What is offered as Istio's proxy is the stock Envoy, which lacks Istio's own filters.
    text = (checkout / LIST).read_text()
    assert text.count("proxy: official") == 1
    (checkout / LIST).write_text(text.replace("proxy: official", "proxy: stock"))
    cache = Cache(folder / "cache")
    _take_over(built, cache)
    folders = os.environ["PATH"].split(os.pathsep)
    settings = {
        **SECOND,
        "BUNDLE_SOURCE": "",
        "ROOST_CACHE": str(cache.root),
        "PATH": os.pathsep.join(path for path in folders if not (Path(path) / "go").exists()),
    }
    return Cluster(checkout, settings)


def _take_over(built: Cache, cache: Cache) -> None:
    """Have what is always built: the node image and the samples."""
    cache.prepare()
    mine, lock = Lock(built.lock_file), Lock(cache.lock_file)
    for item in Components(FETCH).components.values():
        if item.release:
            continue
        entry = mine.get(item.id)
        digest = entry["digest"]
        for blob in (digest, *(name for name, _ in built.store.references(digest))):
            target = cache.store.blob_path(blob)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copyfile(built.store.blob_path(blob), target)
        cache.store.link(*repository_of(entry["name"]), digest)
        lock.put(item.id, entry)
