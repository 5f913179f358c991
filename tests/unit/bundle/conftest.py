# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundle import components as components_module
from bundle import download, images
from bundle.cache import Cache
from tests.played_site import Site, archive, insecure, played_site

TOOL = b"#!/bin/sh\necho tool v1\n"
PAIR = {"./bin/left": b"#!/bin/sh\necho left v2\n", "./bin/right": b"#!/bin/sh\necho right v2\n"}


def component(binary: str, says: str, **fetch: str) -> dict[str, Any]:
    return {"file": binary, "says": {"run": ["--version"], "contains": says}, "fetch": fetch}


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A played official site; nobody waits long for it."""
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(download, "STALL_SECONDS", 0.3)
    with played_site() as site:
        yield site


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path / "cache")
    cache.prepare()
    return cache


@pytest.fixture
def played(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Two files, one of them from an archive that holds two, and an image under another name."""
    pair = archive(PAIR)
    for path, content in (("/v1/amd64/tool", TOOL), ("/pair-2-linux-amd64.tgz", pair)):
        site.put(path, content)
        name, digest = path.rpartition("/")[2], hashlib.sha256(content).hexdigest()
        site.put(f"{path}.sha256", f"{digest}  {name}\n".encode())
    site.put_image("official/image", "3.0", {"app": b"it"})
    url = f"{site.url}/pair-{{number}}-linux-{{arch}}.tgz"
    pair_at = {"url": url, "checksum": "{url}.sha256", "member": "bin/{binary}"}
    tool_at = {"url": f"{site.url}/{{version}}/{{arch}}/tool", "checksum": "{url}.sha256"}
    listed = {
        "go": "1.26",
        "sources": {
            "tool": {"version": "v1", "go": {"module": "bundle/go/runc"}},
            "pair": {"version": "v2", "go": {"module": "bundle/go/runc"}},
            "image": {"version": "v3.0", "go": {"module": "bundle/go/runc"}},
        },
        "components": {
            "tool": component("tool/tool", "tool v1", **tool_at),
            "left": component("pair/left", "left v2", **pair_at),
            "right": component("pair/right", "right v2", **pair_at),
            "image": {
                "image": "built.example/image:v3-built",
                "dockerfile": "bundle/images/pause",
                "context": {"app": "image/app"},
                "proxy": "stock",
                "fetch": {
                    "image": f"{site.address}/official/image:{{number}}",
                    "as": "official.example/image:{number}",
                    "proxy": "official",
                },
            },
        },
    }
    path = tmp_path / "components.yml"
    path.write_text(yaml.safe_dump(listed))
    monkeypatch.setattr(components_module, "LIST", path)
    monkeypatch.setattr(images, "PATIENCE", 1)
    monkeypatch.setenv("BUNDLE_SOURCE", "fetch")
    for name, value in insecure(site, tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    return site
