# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The store: what is stored can be found, is whole, and is the same for the same input."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from pathlib import Path

import pytest
import zstandard

from bundle.components import architecture as architecture_here
from bundle.errors import BundleError
from bundle.names import repository_of
from bundle.store import Store

HERE = architecture_here()


def test_a_file_is_stored_as_one_gzip_layer_under_its_digest(tmp_path: Path) -> None:
    source = tmp_path / "tool"
    source.write_bytes(b"binary" * 1000)
    store = Store(tmp_path / "store")
    stored = store.add_file(source, "files/tool", "v1")
    blob = store.read(stored.blob)
    assert gzip.decompress(blob) == source.read_bytes()
    assert stored.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert stored.blob == f"sha256:{hashlib.sha256(blob).hexdigest()}"
    assert stored.size == len(blob)
    assert store.complete(stored.manifest)


def test_the_same_file_gives_the_same_blob(tmp_path: Path) -> None:
    source = tmp_path / "tool"
    source.write_bytes(b"binary")
    first = Store(tmp_path / "a").add_file(source, "files/tool", "v1")
    second = Store(tmp_path / "b").add_file(source, "files/other", "v1")
    assert first.blob == second.blob


def test_links_are_laid_out_as_the_registry_reads_them(tmp_path: Path) -> None:
    source = tmp_path / "tool"
    source.write_bytes(b"binary")
    store = Store(tmp_path)
    stored = store.add_file(source, "files/tool", "v1")
    repository = tmp_path / "docker/registry/v2/repositories/files/tool"
    value = stored.manifest.removeprefix("sha256:")
    for link in (
        repository / "_manifests/tags/v1/current/link",
        repository / f"_manifests/tags/v1/index/sha256/{value}/link",
        repository / f"_manifests/revisions/sha256/{value}/link",
    ):
        assert link.read_text() == stored.manifest
    layer = stored.blob.removeprefix("sha256:")
    assert (repository / f"_layers/sha256/{layer}/link").read_text() == stored.blob


def test_a_truncated_or_missing_blob_is_noticed(tmp_path: Path) -> None:
    source = tmp_path / "tool"
    source.write_bytes(b"binary")
    store = Store(tmp_path / "store")
    stored = store.add_file(source, "files/tool", "v1")
    store.blob_path(stored.blob).write_bytes(b"half")
    assert not store.complete(stored.manifest)
    store.blob_path(stored.blob).unlink()
    assert not store.complete(stored.manifest)


def test_a_stream_that_breaks_leaves_nothing_under_a_final_name(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("the disk is gone")

    store = Store(tmp_path)
    with pytest.raises(OSError, match="the disk is gone"):
        store.add_stream(Broken())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


LAYER = b"layer" * 100


def oci_layout(folder: Path, architecture: str = HERE) -> str:
    """A small image in the form that skopeo writes, with a zstd layer; returns its digest."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(content: bytes) -> dict[str, object]:
        name = hashlib.sha256(content).hexdigest()
        (blobs / name).write_bytes(content)
        return {"digest": f"sha256:{name}", "size": len(content)}

    diff_id = f"sha256:{hashlib.sha256(LAYER).hexdigest()}"
    kind = "application/vnd.oci.image.layer.v1.tar+zstd"
    config = {"os": "linux", "architecture": architecture, "rootfs": {"diff_ids": [diff_id]}}
    manifest = {
        "schemaVersion": 2,
        "config": put(json.dumps(config).encode()),
        "layers": [{**put(zstandard.compress(LAYER)), "mediaType": kind}],
    }
    digest = str(put(json.dumps(manifest).encode())["digest"])
    (folder / "index.json").write_text(json.dumps({"manifests": [{"digest": digest}]}))
    return digest


def test_an_image_goes_in_packed_and_comes_out_plain(tmp_path: Path) -> None:
    digest = oci_layout(tmp_path / "in")
    store = Store(tmp_path / "store")
    stored, size = store.add_oci_layout(tmp_path / "in", "team/app", "v1")
    assert stored == digest
    assert size == sum(part for _, part in store.references(digest))
    store.write_oci_layout(digest, tmp_path / "out")
    blobs = tmp_path / "out" / "blobs" / "sha256"
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    name = index["manifests"][0]["digest"].removeprefix("sha256:")
    (layer,) = json.loads((blobs / name).read_text())["layers"]
    assert (blobs / layer["digest"].removeprefix("sha256:")).read_bytes() == LAYER
    assert layer["size"] == len(LAYER)


def test_a_layer_that_is_not_what_the_image_names_is_refused(tmp_path: Path) -> None:
    digest = oci_layout(tmp_path / "in")
    store = Store(tmp_path / "store")
    store.add_oci_layout(tmp_path / "in", "team/app", "v1")
    (layer,) = store.manifest(digest)["layers"]
    store.blob_path(layer["digest"]).write_bytes(zstandard.compress(b"other"))
    with pytest.raises(BundleError, match="it is damaged"):
        store.write_oci_layout(digest, tmp_path / "out")


def test_a_blob_with_other_content_than_its_name_is_refused(tmp_path: Path) -> None:
    oci_layout(tmp_path / "in")
    blob = next((tmp_path / "in" / "blobs" / "sha256").iterdir())
    blob.write_bytes(b"tampered with")
    with pytest.raises(BundleError, match=f"blob sha256:{blob.name} has other content"):
        Store(tmp_path / "store").add_oci_layout(tmp_path / "in", "team/app", "v1")


def test_an_image_for_other_machines_is_refused(tmp_path: Path) -> None:
    digest = oci_layout(tmp_path / "in", "riscv64")
    store = Store(tmp_path / "store")
    with pytest.raises(BundleError, match=f"for linux/{HERE}, found one for linux/riscv64; build"):
        store.add_oci_layout(tmp_path / "in", "team/app", "v1")
    assert store.tagged("team/app", "v1") == ""
    assert not store.has(digest)


@pytest.mark.parametrize(
    ("image", "place"),
    [
        ("registry.k8s.io/kube-proxy:v1.36.3", ("kube-proxy", "v1.36.3")),
        ("registry.k8s.io/coredns/coredns:v1.15.0", ("coredns/coredns", "v1.15.0")),
        ("docker.io/istio/pilot:1.31.0", ("istio/pilot", "1.31.0")),
        ("docker.io/nginx:1", ("library/nginx", "1")),
        ("nginx:1", ("library/nginx", "1")),
        ("team/app:v1", ("team/app", "v1")),
        ("localhost:5000/app:v1", ("app", "v1")),
    ],
)
def test_repository_of(image: str, place: tuple[str, str]) -> None:
    assert repository_of(image) == place


@pytest.mark.parametrize("image", ["app", "registry.example/app", "registry.example:5000/app"])
def test_an_image_without_a_tag_is_refused(image: str) -> None:
    with pytest.raises(BundleError, match="an image needs a tag"):
        repository_of(image)
