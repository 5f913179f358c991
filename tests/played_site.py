# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server on this machine that plays official sites and image registries, and their troubles."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import ssl
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CORRUPT = "one byte is another"
TRUNCATED = "half of it, and said to be all"
DIES = "half of it, then the connection ends"
MISSING = "not found"
BUSY = "unavailable"
SILENT = "no answer at all"
SLOW = "little by little"

INDEX_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
SLOW_SECONDS = 0.02


@dataclass
class Fault:
    kind: str
    times: int


@dataclass
class Site:
    """What the server has, by path; `requests` are the paths asked for, each with its Range.

    With a certificate it also is a proxy behind which it plays any host that this is for; what such
    a host has and is asked for is under its name and the path.
    """

    url: str = ""
    certificate: ssl.SSLContext | None = None
    # A large file isn't read before it is asked for.
    files: dict[str, tuple[bytes | Path, str]] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    ranges: bool = True
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return self.url.partition("//")[2]

    def put(self, path: str, content: bytes, kind: str = "application/octet-stream") -> str:
        """Have a file; returns its address."""
        self.files[path] = (content, kind)
        return self.url + path

    def fail(self, path: str, kind: str, times: int = 1 << 30) -> None:
        """Have a trouble with a file, for so many requests."""
        self.faults[path] = Fault(kind, times)

    def asked(self, path: str) -> list[str]:
        """The Range of each request for a path, empty where there was none."""
        return [span for asked, span in self.requests if asked == path]

    def put_image(self, repository: str, tag: str, files: Mapping[str, bytes]) -> str:
        """Have an image for amd64 and arm64 in an index; returns the digest of amd64's."""
        manifests = []
        for architecture in ("amd64", "arm64"):
            layer = archive({**files, "etc/architecture": architecture.encode()})
            diff_id = f"sha256:{hashlib.sha256(gzip.decompress(layer)).hexdigest()}"
            config = {
                "architecture": architecture,
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            }
            manifest = {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": self._blob(repository, _json(config), CONFIG_TYPE),
                "layers": [self._blob(repository, layer, LAYER_TYPE)],
            }
            described = self._manifest(repository, _json(manifest), MANIFEST_TYPE)
            manifests.append(
                {**described, "platform": {"architecture": architecture, "os": "linux"}}
            )
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}
        self.put("/v2/", b"{}")
        self._manifest(repository, _json(index), INDEX_TYPE, tag)
        return str(manifests[0]["digest"])

    def _blob(self, repository: str, content: bytes, kind: str) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.put(f"/v2/{repository}/blobs/{digest}", content)
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def _manifest(
        self, repository: str, content: bytes, kind: str, tag: str = ""
    ) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        for name in (digest, tag):
            if name:
                self.put(f"/v2/{repository}/manifests/{name}", content, kind)
        return {"mediaType": kind, "digest": digest, "size": len(content)}


def _json(data: object) -> bytes:
    return json.dumps(data).encode()


def archive(files: Mapping[str, bytes]) -> bytes:
    """A .tar.gz of executable files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as out:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            out.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), compresslevel=1, mtime=0)


def insecure(site: Site, home: Path) -> dict[str, str]:
    """What has to be in the environment for skopeo to ask this registry without TLS."""
    path = home / ".config" / "containers" / "registries.conf"
    path.parent.mkdir(parents=True)
    path.write_text(f'[[registry]]\nlocation = "{site.address}"\ninsecure = true\n')
    return {"HOME": str(home)}


@contextmanager
def played_site(certificate: ssl.SSLContext | None = None) -> Iterator[Site]:
    site = Site(certificate=certificate)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        host = ""

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def do_CONNECT(self) -> None:
            """From here on this is the host that is asked for, with TLS."""
            if site.certificate is None or self.host:
                self.send_error(405)
                return
            self.send_response(200)
            self.end_headers()
            self.host = self.path.partition(":")[0]
            self.request = site.certificate.wrap_socket(self.request, server_side=True)
            self.setup()
            self.close_connection = False  # whatever a client of HTTP/1.0 expects of other requests

        def do_HEAD(self) -> None:
            self._answer(head=True)

        def do_GET(self) -> None:
            self._answer(head=False)

        def _answer(self, head: bool) -> None:
            span = self.headers.get("Range", "")
            at = self.host + self.path
            site.requests.append((at, span))
            fault = site.faults.get(at)
            kind = ""
            if fault and fault.times:
                fault.times -= 1
                kind = fault.kind
            if kind == SILENT:
                site.closing.wait()
                self.close_connection = True
            elif kind == MISSING or at not in site.files:
                self.send_error(404)
            elif kind == BUSY:
                self.send_error(503)
            else:
                content, media = site.files[at]
                whole = content if isinstance(content, bytes) else content.read_bytes()
                self._send(whole, media, kind, span, head)

        def _send(self, content: bytes, media: str, kind: str, span: str, head: bool) -> None:
            half = len(content) // 2
            if kind == CORRUPT:
                content = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
            if kind == TRUNCATED:
                content = content[:half]
            start = int(span.removeprefix("bytes=").partition("-")[0]) if span else 0
            if not site.ranges:
                start = 0
            if start and start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(content) - start))
            if "/manifests/" in self.path:
                digest = hashlib.sha256(content).hexdigest()
                self.send_header("Docker-Content-Digest", f"sha256:{digest}")
            self.end_headers()
            if head:
                return
            rest = content[start:]
            if kind == DIES:
                rest, self.close_connection = rest[: len(rest) // 2], True
            step = max(len(rest) // 20, 1) if kind == SLOW else len(rest) or 1
            try:
                for begin in range(0, len(rest), step):
                    if kind == SLOW:
                        time.sleep(SLOW_SECONDS)
                    self.wfile.write(rest[begin : begin + step])
            except OSError:
                self.close_connection = True

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield site
    finally:
        site.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
