# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The store: the file system layout of a CNCF distribution registry.

Blobs lie under their sha256, so nothing is kept twice and everything can be checked. Each
file is written under a temporary name and renamed, a tag's link last: what has its final
name is whole.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from bundle.components import architecture
from bundle.errors import BundleError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
EMPTY_CONFIG = b"{}"
EMPTY_CONFIG_TYPE = "application/vnd.oci.empty.v1+json"
FILE_TYPE = "application/vnd.roost.file.v1+gzip"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
CHUNK = 1 << 20
LINK_PREFIX = ".link."  # of one that is being written


def _unpack(source: Path, media_type: str, target: Path) -> int:
    """Write a layer uncompressed; return its size in bytes."""
    with contextlib.ExitStack() as stack:
        packed: IO[bytes] = stack.enter_context(source.open("rb"))
        if media_type.endswith("+zstd"):
            packed = stack.enter_context(zstandard.ZstdDecompressor().stream_reader(packed))
        elif media_type.endswith("gzip"):  # Docker's own types have a dot before it
            packed = cast("IO[bytes]", stack.enter_context(gzip.open(packed)))
        with target.open("wb") as out:
            shutil.copyfileobj(packed, out, CHUNK)
    return target.stat().st_size


def _digest_of(path: Path) -> str:
    with path.open("rb") as handle:
        return f"sha256:{hashlib.file_digest(handle, 'sha256').hexdigest()}"


class WrongContent(BundleError):
    """Content that has another digest than it should have."""


@dataclass(frozen=True)
class StoredFile:
    """A file artifact: digests of its manifest and of its one gzip layer, the layer's size in
    bytes, and the sha256 (hex) of the file itself."""

    manifest: str
    blob: str
    size: int
    sha256: str


class Store:
    """A registry's store at `root` (the folder that holds `docker/registry/v2`)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.base = root / "docker" / "registry" / "v2"

    def blob_path(self, digest: str) -> Path:
        algorithm, _, value = digest.partition(":")
        return self.base / "blobs" / algorithm / value[:2] / value / "data"

    def has(self, digest: str) -> bool:
        return self.blob_path(digest).is_file()

    def size(self, digest: str) -> int:
        return self.blob_path(digest).stat().st_size

    def read(self, digest: str) -> bytes:
        return self.blob_path(digest).read_bytes()

    def add_stream(self, stream: IO[bytes], expected: str = "") -> tuple[str, int]:
        """Store what `stream` gives, if it is what is expected; return digest and size."""
        incoming = self.base / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        size = 0
        with tempfile.NamedTemporaryFile(dir=incoming, delete=False) as out:
            try:
                while chunk := stream.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
                name = f"sha256:{digest.hexdigest()}"
                if expected and name != expected:
                    raise WrongContent(f"blob {expected} has other content: {name}")
            except BaseException:
                Path(out.name).unlink()
                raise
        final = self.blob_path(name)
        final.parent.mkdir(parents=True, exist_ok=True)
        Path(out.name).chmod(0o644)
        Path(out.name).replace(final)
        return name, size

    def add_file(self, source: Path, repository: str, tag: str) -> StoredFile:
        """Store one file as an artifact `repository:tag` with one gzip layer."""
        with tempfile.TemporaryFile() as packed:
            digest = hashlib.sha256()
            # No name and no time in the header: the same file gives the same blob.
            with gzip.GzipFile("", "wb", 6, packed, mtime=0) as out, source.open("rb") as data:
                while chunk := data.read(CHUNK):
                    digest.update(chunk)
                    out.write(chunk)
            packed.seek(0)
            blob, size = self.add_stream(packed)
        config, config_size = self.add_stream(io.BytesIO(EMPTY_CONFIG))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": FILE_TYPE,
            "config": {"mediaType": EMPTY_CONFIG_TYPE, "digest": config, "size": config_size},
            "layers": [{"mediaType": FILE_TYPE, "digest": blob, "size": size}],
        }
        content = json.dumps(manifest, sort_keys=True).encode()
        name, _ = self.add_stream(io.BytesIO(content))
        self.link(repository, tag, name)
        return StoredFile(name, blob, size, digest.hexdigest())

    def add_oci_layout(self, layout: Path, repository: str, tag: str) -> tuple[str, int]:
        """Take the single image of an OCI layout folder; return its digest and size in bytes."""
        index = json.loads((layout / "index.json").read_text())
        digest: str = index["manifests"][0]["digest"]
        manifest = (layout / "blobs" / "sha256" / digest.partition(":")[2]).read_bytes()
        return self._add_image(manifest, layout / "blobs" / "sha256", digest, repository, tag)

    def add_folder(self, folder: Path, repository: str, tag: str) -> tuple[str, int]:
        """Take an image as skopeo writes it to a `dir:`, with its manifest as it is."""
        return self._add_image((folder / "manifest.json").read_bytes(), folder, "", repository, tag)

    def _add_image(
        self, manifest: bytes, blobs: Path, digest: str, repository: str, tag: str
    ) -> tuple[str, int]:
        found = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        if digest and found != digest:
            raise BundleError(f"{repository}:{tag}: blob {digest} has other content: {found}")
        image = json.loads(manifest)
        if "config" not in image or "layers" not in image:
            kind = image.get("mediaType") or f"schemaVersion {image.get('schemaVersion')}"
            raise BundleError(f"{repository}:{tag}: expected an image's manifest, found {kind}")
        try:
            for part in [image["config"], *image["layers"]]:
                with (blobs / part["digest"].partition(":")[2]).open("rb") as stream:
                    self.add_stream(stream, part["digest"])
        except WrongContent as error:
            raise BundleError(f"{repository}:{tag}: {error}") from None
        # An index gives the right one of several; an image that is alone may be of any.
        config = json.loads(self.read(image["config"]["digest"]))
        expected = f"linux/{architecture()}"
        if (found_for := f"{config.get('os')}/{config.get('architecture')}") != expected:
            raise BundleError(
                f"{repository}:{tag}: expected an image for {expected}, found one for {found_for}; "
                "build it for this architecture"
            )
        self.add_stream(io.BytesIO(manifest))
        self.link(repository, tag, found)
        return found, sum(size for _, size in self.references(found))

    def write_oci_layout(self, digest: str, layout: Path) -> None:
        """Make an OCI layout folder of one image, with plain layers.

        Docker's classic image store reads no zstd; a plain layer's digest is the one that the
        image's configuration names, so what is unpacked is checked.
        """
        blobs = layout / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        manifest = self.manifest(digest)
        config = self.read(manifest["config"]["digest"])
        (blobs / manifest["config"]["digest"].partition(":")[2]).write_bytes(config)
        plain = []
        for layer, wanted in zip(manifest["layers"], json.loads(config)["rootfs"]["diff_ids"]):
            target = blobs / wanted.partition(":")[2]
            size = _unpack(self.blob_path(layer["digest"]), layer["mediaType"], target)
            if _digest_of(target) != wanted:
                raise BundleError(
                    f"layer {layer['digest']}: unpacked it isn't {wanted}; it is damaged"
                )
            plain.append({"mediaType": LAYER_TYPE, "digest": wanted, "size": size})
        image = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {**manifest["config"], "mediaType": CONFIG_TYPE},
            "layers": plain,
        }
        content = json.dumps(image).encode()
        name = hashlib.sha256(content).hexdigest()
        (blobs / name).write_bytes(content)
        descriptor = {"mediaType": MANIFEST_TYPE, "digest": f"sha256:{name}", "size": len(content)}
        (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        index = {"schemaVersion": 2, "manifests": [descriptor]}
        (layout / "index.json").write_text(json.dumps(index))

    def manifest(self, digest: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.read(digest))
        return content

    def references(self, digest: str) -> Iterator[tuple[str, int]]:
        """Digest and size of the config and the layers of a manifest."""
        manifest = self.manifest(digest)
        for part in [manifest["config"], *manifest["layers"]]:
            yield part["digest"], part["size"]

    def complete(self, digest: str) -> bool:
        """Whether a manifest and everything that it names is there, in full length."""
        return not self.faults(digest)

    def faults(self, digest: str, *, content: bool = False) -> dict[str, str]:
        """What is wrong with a manifest and the blobs that it names, by blob; whether their content
        is what their names say takes reading all of it."""
        wrong = self._fault(digest, None, True)
        if wrong:
            return {digest: wrong}  # what it refers to means nothing
        found = {blob: self._fault(blob, size, content) for blob, size in self.references(digest)}
        return {blob: wrong for blob, wrong in found.items() if wrong}

    def _fault(self, blob: str, size: int | None, content: bool) -> str:
        if not self.has(blob):
            return "is missing"
        if size is not None and self.size(blob) != size:
            return f"has {self.size(blob)} bytes, expected {size}"
        if content and (found := _digest_of(self.blob_path(blob))) != blob:
            return f"is corrupt, its content has {found}"
        return ""

    def tagged(self, repository: str, tag: str) -> str:
        """The digest that a tag names, or nothing."""
        tags = self.base / "repositories" / repository / "_manifests" / "tags"
        try:
            return (tags / tag / "current" / "link").read_text()
        except OSError:
            return ""

    def tidy(self) -> None:
        """Remove what runs that were killed have left."""
        shutil.rmtree(self.base / "incoming", ignore_errors=True)
        for path in (self.base / "repositories").rglob(f"{LINK_PREFIX}*"):
            path.unlink()

    def link(self, repository: str, tag: str, digest: str) -> None:
        """Make `repository:tag` name a manifest; the tag's own link is written last."""
        folder = self.base / "repositories" / repository
        value = digest.partition(":")[2]
        for blob, _ in self.references(digest):
            self._write_link(folder / "_layers" / "sha256" / blob.partition(":")[2], blob)
        self._write_link(folder / "_manifests" / "revisions" / "sha256" / value, digest)
        tags = folder / "_manifests" / "tags" / tag
        self._write_link(tags / "index" / "sha256" / value, digest)
        self._write_link(tags / "current", digest)

    @staticmethod
    def _write_link(folder: Path, digest: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{LINK_PREFIX}{os.getpid()}"
        temporary.write_text(digest)
        temporary.replace(folder / "link")
