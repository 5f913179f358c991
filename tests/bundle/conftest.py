# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A bundle of small things, from a played official site and from a Go module of one file."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundle import components as components_module
from bundle import contents
from bundle.backend import BACKENDS
from bundle.cache import Cache
from bundle.components import Components
from tests.command import REPOSITORY
from tests.played_site import SLOW, Site, archive, insecure, played_site

# Names of what only a killed run may leave, for the next one to remove.
UNFINISHED = ("*.tmp", "work/*", "incoming/*", ".link.*", "bundle.lock.*", "downloads", "release-*")
NOISE = random.Random(1).randbytes(1 << 20)


@dataclass
class Played:
    """The played bundle: its site, its list, and a cache and an environment for its command."""

    site: Site
    listed: Path
    cache: Cache
    environment: dict[str, str] = field(default_factory=dict)

    def start(
        self, *words: str, largest_file: int = resource.RLIM_INFINITY, **environment: str
    ) -> subprocess.Popen[str]:
        """Start the command; `largest_file` is what it may write, in bytes."""
        limit = (largest_file, resource.RLIM_INFINITY)
        return subprocess.Popen(
            [sys.executable, "-m", "tests.bundle.command", str(self.listed), *words],
            cwd=REPOSITORY,
            env={**os.environ, **self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        )

    def run(self, *words: str, **environment: str) -> str:
        """Run the command to its good end; returns what it said."""
        process = self.start(*words, **environment)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said

    def at(self, root: Path) -> Played:
        """The same with another cache."""
        environment = {**self.environment, "ROOST_CACHE": str(root)}
        return Played(self.site, self.listed, Cache(root), environment)

    def halves(self) -> list[str]:
        """What is under a final name and not whole: never there, whatever happens."""
        found = [
            f"half a blob: {blob}"
            for blob in self.cache.store.base.glob("blobs/sha256/*/*/data")
            if hashlib.sha256(blob.read_bytes()).hexdigest() != blob.parent.name
        ]
        listed = [item for name in BACKENDS for item in Components(name).components.values()]
        for item in listed:
            for source in item.sources if item.kind == "file" else ():
                folder = self.cache.source_folder(source.name, source.key)
                if folder.is_dir() and not (folder / item.member).is_file():
                    found.append(f"half a source: {folder} lacks {item.member}")
        return found

    def wrong(self) -> list[str]:
        """What isn't as it has to be in a filled bundle."""
        found = self.halves()
        rows, missing = contents.status(self.cache)
        found += [f"{name} is missing" for name, state, _ in rows if state == "missing"]
        for pattern in UNFINISHED:
            found += [f"left over: {path}" for path in self.cache.root.rglob(pattern)]
        return found


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with played_site() as site:
        yield site


def _put(site: Site, path: str, content: bytes) -> dict[str, str]:
    """Have a file and its checksum; slowly, so that a run can be killed in the middle of it."""
    url = site.put(path, content)
    site.fail(path, SLOW)
    site.put(f"{path}.sha256", hashlib.sha256(content).hexdigest().encode())
    return {"url": url, "checksum": "{url}.sha256"}


@pytest.fixture
def played(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    script = b"#!/bin/sh\necho v1; exit\n"
    sources: dict[str, Any] = {"tool": {"version": "v1", "go": {"module": "tests/bundle/tool"}}}
    components: dict[str, Any] = {"built": {"file": "tool/tool"}}
    for number in range(3):
        at = _put(site, f"/file-{number}", script + NOISE[number:])
        components[f"file-{number}"] = {"file": "tool/tool", "fetch": at}
    pair = archive({f"bin/{name}": script + name.encode() for name in ("left", "right")})
    for name in ("left", "right"):
        at = {**_put(site, "/pair.tgz", pair), "member": f"bin/{name}"}
        components[name] = {"file": "tool/tool", "where": "controller", "fetch": at}
    for item in components.values():
        item["says"] = {"run": [], "contains": "v1"}
    for number in range(2):
        name = f"team/image-{number}"
        site.put_image(name, "v1", {"noise": NOISE[number * 1000 :]})
        components[f"image-{number}"] = {
            "image": f"official.example/{name}:v1",
            "dockerfile": "bundle/images/pause",
            "context": {"tool": "tool/tool"},
            "fetch": {"image": f"{site.address}/{name}:v1"},
        }
    for path in site.files:
        if "/blobs/" in path:
            site.fail(path, SLOW)
    listed = tmp_path / "components.yml"
    listed.write_text(yaml.safe_dump({"go": "1.26", "sources": sources, "components": components}))
    monkeypatch.setattr(components_module, "LIST", listed)
    go = subprocess.run(
        ["go", "env", "GOCACHE", "GOMODCACHE"], capture_output=True, text=True, check=True
    ).stdout.split()
    # skopeo's settings are below HOME, which Go's caches must not move with.
    environment = {
        **insecure(site, tmp_path / "home"),
        "GOCACHE": go[0],
        "GOMODCACHE": go[1],
        "BUNDLE_SOURCE": "fetch",
    }
    return Played(site, listed, Cache(tmp_path), environment).at(tmp_path / "cache")
