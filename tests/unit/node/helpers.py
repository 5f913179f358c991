# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.roost.cluster.plugins.module_utils.node.core import Done
from ansible_collections.roost.cluster.plugins.module_utils.node.store_layout import (
    REGISTRY,
    blob_path,
)

PILOT = "istio/pilot"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Commands:
    """Plays the external commands: answers by their first words, and remembers what was run."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, ...], Done] = {}
        self.ran: list[tuple[str, ...]] = []

    def answer(self, *words: str, out: str = "", err: str = "", rc: int = 0) -> None:
        self.answers[words] = Done(rc, out, err)

    def __call__(self, argv: Sequence[str], timeout: float) -> Done:
        self.ran.append(tuple(argv))
        fitting = [words for words in self.answers if tuple(argv[: len(words)]) == words]
        if not fitting:
            return Done(0, "", "")
        return self.answers[max(fitting, key=len)]


class Store:
    """A bundle's store and lock in the registry's own layout, made for a test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.components: dict[str, Any] = {}
        (root / REGISTRY).mkdir(parents=True)

    def put(self, repository: str, data: bytes) -> str:
        digest = digest_of(data)
        self._write(blob_path(digest), data)
        if repository:
            self.link(f"repositories/{repository}/_layers/{digest.replace(':', '/')}", digest)
        return digest

    def link(self, folder: str, digest: str) -> None:
        self._write(f"{REGISTRY}/{folder}/link", digest.encode())

    def _write(self, path: str, data: bytes) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    def manifest(self, repository: str, body: dict[str, Any]) -> str:
        data = json.dumps(body).encode()
        digest = digest_of(data)
        self._write(blob_path(digest), data)
        self.link(
            f"repositories/{repository}/_manifests/revisions/{digest.replace(':', '/')}", digest
        )
        return digest

    def tag(self, repository: str, tag: str, digest: str) -> None:
        base = f"repositories/{repository}/_manifests/tags/{tag}"
        self.link(f"{base}/current", digest)
        self.link(f"{base}/index/{digest.replace(':', '/')}", digest)

    def image(self, name: str, repository: str, tag: str, layers: list[bytes]) -> str:
        """An image below a registry's name that is no part of the repository's path."""
        digest = self.image_manifest(repository, b'{"os": "linux"}', layers)
        self.tag(repository, tag, digest)
        self.components[name] = {
            "kind": "image",
            "name": f"docker.io/{repository}:{tag}",
            "digest": digest,
        }
        return digest

    def image_manifest(self, repository: str, config: bytes, layers: list[bytes]) -> str:
        parts = [
            {"digest": self.put(repository, data), "size": len(data)} for data in [config, *layers]
        ]
        return self.manifest(repository, {"config": parts[0], "layers": parts[1:]})

    def file(self, name: str, version: str, data: bytes) -> dict[str, Any]:
        repository, packed = f"files/{name}", gzip.compress(data, mtime=0)
        blob = self.put(repository, packed)
        config = self.put(repository, b"{}")
        digest = self.manifest(
            repository,
            {
                "config": {"digest": config, "size": 2},
                "layers": [{"digest": blob, "size": len(packed)}],
            },
        )
        self.tag(repository, version, digest)
        self.components[name] = {
            "kind": "file",
            "name": f"{repository}:{version}",
            "manifest": digest,
            "blob": blob,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        return dict(self.components[name])

    def lock(self, path: Path) -> Path:
        path.write_text(json.dumps({"backend": "build", "components": self.components}))
        return path

    def files(self) -> set[str]:
        return files_below(self.root)


def files_below(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


class BlobHandler(BaseHTTPRequestHandler):
    """Serves blobs as a registry does; a fault makes it serve one of them badly."""

    address = ""
    blobs: ClassVar[dict[str, bytes]] = {}
    faults: ClassVar[dict[str, list[str]]] = {}  # blob → what to do at each request, in turn
    asked: ClassVar[list[str]] = []

    @classmethod
    def serve(cls, data: bytes, *faults: str) -> dict[str, str]:
        """Serve a file; returns what a bundle would say of it."""
        packed = gzip.compress(data, mtime=0)
        blob = digest_of(packed)
        cls.blobs[blob] = packed
        cls.faults[blob] = list(faults)
        return {"blob": blob, "sha256": hashlib.sha256(data).hexdigest()}

    def do_GET(self) -> None:
        self.asked.append(self.path)
        blob = self.path.rsplit("/", 1)[1]
        faults = self.faults.get(blob, [])
        fault = faults.pop(0) if faults else ""
        data = self.blobs.get(blob)
        if data is None or fault.isdigit():
            self.send_error(int(fault or 404))
            return
        if fault == "other":
            data = gzip.compress(b"another file")
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if fault == "truncated":
            data = data[: len(data) // 2]
        elif fault == "corrupt":
            data = data[:-6] + bytes([data[-6] ^ 1]) + data[-5:]
        self.wfile.write(data)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        return
