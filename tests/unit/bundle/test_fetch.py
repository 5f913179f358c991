# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filling the bundle from official releases, which a server on this machine plays."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from bundle import backend, contents, fill, images
from bundle import components as components_module
from bundle.cache import Cache, Lock
from bundle.errors import BundleError
from tests.played_site import CORRUPT, DIES, MISSING, SILENT, TRUNCATED, Site, archive
from tests.unit.bundle.conftest import PAIR, TOOL


def manifest_path(site: Site) -> str:
    (path,) = [path for path in site.files if path.endswith("/manifests/3.0")]
    return path


def layer_path(site: Site) -> str:
    """The path of the layer of the image for amd64."""
    index = json.loads(site.files[manifest_path(site)][0])
    digest = index["manifests"][0]["digest"]
    manifest = json.loads(site.files[f"/v2/official/image/manifests/{digest}"][0])
    return f"/v2/official/image/blobs/{manifest['layers'][0]['digest']}"


def nothing_half(cache: Cache) -> bool:
    """Whether everything under a final name is whole."""
    blobs = cache.store.base / "blobs" / "sha256"
    return all(
        hashlib.sha256(path.read_bytes()).hexdigest() == path.parent.name
        for path in blobs.glob("*/*/data")
    )


def test_everything_is_fetched_and_recorded(played: Site, cache: Cache) -> None:
    assert set(fill.fill(cache, [])) == {"tool", "left", "right", "image"}
    lock = Lock(cache.lock_file)
    assert lock.backend == "fetch"
    image = lock.components["image"]
    assert image["name"] == "official.example/image:3.0"
    assert image["proxy"] == "official"
    # The image is the one that its registry publishes, byte for byte, for this architecture.
    index = json.loads(played.files[manifest_path(played)][0])
    assert image["digest"] == index["manifests"][0]["digest"]
    assert lock.releases == {
        f"{played.url}/v1/amd64/tool": hashlib.sha256(TOOL).hexdigest(),
        f"{played.url}/pair-2-linux-amd64.tgz": hashlib.sha256(archive(PAIR)).hexdigest(),
        f"{played.address}/official/image:3.0": image["digest"],
    }
    assert contents.executable(cache, "right").read_bytes() == PAIR["./bin/right"]
    assert played.asked("/pair-2-linux-amd64.tgz") == [""], "downloaded once for both"
    assert not (cache.root / "downloads").exists()
    assert not (cache.root / "sources").exists()


def test_a_filled_bundle_asks_nobody(
    played: Site, cache: Cache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill.fill(cache, [])
    monkeypatch.delenv("BUNDLE_SOURCE")
    played.requests.clear()
    capsys.readouterr()
    assert fill.fill(cache, []) == []
    assert capsys.readouterr().out == "bundle: fetch (the bundle's content came from it)\n"
    assert contents.status(cache)[1] == 0
    assert played.requests == []


def test_it_stays_with_the_official_releases_when_a_sample_was_changed(
    played: Site, cache: Cache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill.fill(cache, [])
    listed = yaml.safe_load(components_module.LIST.read_text())
    listed["components"]["sample"] = {"file": "tool/sample"}
    components_module.LIST.write_text(yaml.safe_dump(listed))
    entry = {"kind": "file", "name": "files/sample:v1", "key": "of the text before"}
    Lock(cache.lock_file).put("sample", {**entry, "manifest": "sha256:gone"})
    monkeypatch.delenv("BUNDLE_SOURCE")
    # Without internet it would be built.
    monkeypatch.setattr(backend, "OFFICIAL", f"{played.url}/nothing")
    played.requests.clear()
    capsys.readouterr()
    assert fill.fill(cache, ["tool", "image"]) == []
    assert capsys.readouterr().out == "bundle: fetch (the bundle's content came from it)\n"
    assert played.requests == []


def test_an_image_comes_out_for_docker(played: Site, cache: Cache, tmp_path: Path) -> None:
    fill.fill(cache, ["image"])
    digest = Lock(cache.lock_file).components["image"]["digest"]
    cache.store.write_oci_layout(digest, tmp_path / "out")
    assert (tmp_path / "out" / "index.json").exists()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (CORRUPT, "/v1/amd64/tool: corrupt: expected sha256"),
        (TRUNCATED, "/v1/amd64/tool: corrupt: expected sha256"),
        (DIES, "/v1/amd64/tool: broke off"),
        (MISSING, "/v1/amd64/tool: answered 404"),
        (SILENT, "/v1/amd64/tool: nothing came"),
    ],
)
def test_a_file_in_trouble_is_named_and_nothing_is_recorded(
    played: Site, cache: Cache, kind: str, said: str
) -> None:
    played.fail("/v1/amd64/tool", kind)
    with pytest.raises(BundleError, match=said):
        fill.fill(cache, ["tool"])
    assert Lock(cache.lock_file).components == {}
    assert nothing_half(cache)
    played.faults.clear()
    assert fill.fill(cache, ["tool"]) == ["tool"]


@pytest.mark.parametrize("kind", [CORRUPT, TRUNCATED, DIES, MISSING, SILENT])
def test_an_image_in_trouble_is_named_and_nothing_is_recorded(
    played: Site, cache: Cache, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.fail(layer_path(played), kind)
    if kind == SILENT:
        monkeypatch.setattr(images, "PATIENCE", 0.3)
    with pytest.raises(BundleError, match=r"/image:3.0: expected the image as it is") as error:
        fill.fill(cache, ["image"])
    if kind == SILENT:
        assert "nothing came for 0.3 s" in str(error.value)
    assert Lock(cache.lock_file).components == {}
    assert nothing_half(cache)
    played.faults.clear()
    # Nobody is silent any more, and a machine that has much to do may take a second.
    monkeypatch.setattr(images, "PATIENCE", 60)
    assert fill.fill(cache, ["image"]) == ["image"]


def test_a_release_that_was_replaced_is_refused(played: Site, cache: Cache) -> None:
    fill.fill(cache, [])
    recorded = Lock(cache.lock_file)
    other = TOOL + b"# and something else\n"
    played.put("/v1/amd64/tool", other)
    played.put("/v1/amd64/tool.sha256", hashlib.sha256(other).hexdigest().encode())
    cache.store.blob_path(recorded.components["tool"]["blob"]).unlink()
    with pytest.raises(BundleError, match=r"/v1/amd64/tool: expected sha256 .* recorded when"):
        fill.fill(cache, [])
    assert Lock(cache.lock_file).components == recorded.components


def test_an_image_is_fetched_again_by_its_digest(played: Site, cache: Cache) -> None:
    fill.fill(cache, [])
    digest = Lock(cache.lock_file).components["image"]["digest"]
    cache.store.blob_path(digest).unlink()
    played.put_image("official/image", "3.0", {"app": b"another under the same tag"})
    assert fill.fill(cache, []) == ["image"]
    assert Lock(cache.lock_file).components["image"]["digest"] == digest


def test_an_own_image_is_pulled_as_its_registry_has_it(played: Site, cache: Cache) -> None:
    digest = played.put_image("team/app", "v1", {"app": b"mine"})
    reference = f"{played.address}/team/app:v1"
    assert contents.add_image(cache, reference, f"docker://{reference}")["digest"] == digest
    assert cache.store.tagged("team/app", "v1") == digest
    moved = played.put_image("team/app", "v1", {"app": b"mine, later"})
    assert contents.add_image(cache, reference, f"docker://{reference}")["digest"] == moved


@pytest.mark.parametrize("origin", ["registry", "archive"])
def test_an_own_image_that_has_no_room_is_not_begun(
    played: Site, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    content = os.urandom(50_000)
    played.put_image("team/app", "v1", {"app": content})
    reference = f"{played.address}/team/app:v1"
    (tmp_path / "app.tar").write_bytes(content)
    at = {"registry": f"docker://{reference}", "archive": f"docker-archive:{tmp_path}/app.tar"}
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=99_000))
    with pytest.raises(
        BundleError, match=rf"0\.0 GB free, expected .* to add {reference}: .* lack"
    ):
        contents.add_image(cache, reference, at[origin])
    assert not [path for path, _ in played.requests if path.startswith("/v2/team/app/blobs")]
    assert Lock(cache.lock_file).components == {}


@pytest.mark.parametrize("kind", [MISSING, SILENT])
def test_an_own_image_that_its_registry_does_not_give_is_named(
    played: Site, cache: Cache, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == SILENT:
        monkeypatch.setattr(images, "PATIENCE", 0.3)
    played.put_image("team/app", "v1", {"app": b"mine"})
    played.fail("/v2/team/app/manifests/v1", kind)
    reference = f"{played.address}/team/app:v1"
    with pytest.raises(BundleError, match=f"{reference}: expected the image as it is published"):
        contents.add_image(cache, reference, f"docker://{reference}")


def test_the_other_back_end_needs_everything_anew(
    played: Site, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill.fill(cache, [])
    monkeypatch.setenv("BUNDLE_SOURCE", "build")
    assert contents.status(cache)[1] == 0, "filled, whatever the next run is told"
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BundleError, match="go: found none, expected go1.26"):
        fill.fill(cache, [])


def test_a_damaged_blob_is_named_and_fetched_again(
    played: Site, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    fill.fill(cache, [])
    blob = Lock(cache.lock_file).components["left"]["blob"]
    path = cache.store.blob_path(blob)
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    assert fill.fill(cache, []) == ["left"]
    assert f"files/left:v2: blob {blob} is corrupt, its content has sha256:" in (
        capsys.readouterr().out
    )
    assert nothing_half(cache)


def test_a_disk_that_is_too_small_is_named_first(
    played: Site, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fill.BYTES, "ROOST_CACHE", 10**18)
    with pytest.raises(BundleError, match=r"GB free, expected 1000000000.0 GB .* GB are lacking"):
        fill.fill(cache, [])
    assert played.requests == []
