# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A bundle carried to another machine is the same bundle, or none."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundle import archive, contents
from bundle import components as components_module
from bundle.cache import Cache, Lock
from bundle.components import Components
from bundle.errors import BundleError

NOISE = random.Random(1).randbytes(40_000)
Change = Callable[[list[tuple[str, bytes]]], None]


@pytest.fixture
def filled(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """A bundle with two files and an own image."""
    listed = {
        "go": "1.26",
        "sources": {"tool": {"version": "v1", "go": {"module": "bundle/go/runc"}}},
        "components": {
            "tool": {"file": "tool/tool", "where": "controller"},
            "other": {"file": "tool/other"},
        },
    }
    path = tmp_path / "components.yml"
    path.write_text(yaml.safe_dump(listed))
    monkeypatch.setattr(components_module, "LIST", path)
    lock = Lock(cache.lock_file)
    lock.backend = "build"
    lock.releases = {"https://site.example/tool": "a" * 64}
    for name, item in Components("build").components.items():
        binary = tmp_path / name
        binary.write_bytes(f"#!/bin/sh\necho {name}\n".encode() + NOISE)
        repository, _, tag = item.name.partition(":")
        stored = cache.store.add_file(binary, repository, tag)
        entry = {"kind": "file", "name": item.name, "key": item.key, "where": item.where}
        entry |= {"manifest": stored.manifest, "blob": stored.blob, "sha256": stored.sha256}
        lock.put(name, {**entry, "size": stored.size})
    own(cache, lock, "team.example/app:v1", tmp_path)
    return cache


def own(cache: Cache, lock: Lock, name: str, folder: Path) -> None:
    (folder / "content").write_text(name)
    stored = cache.store.add_file(folder / "content", name.split("/")[1].split(":")[0], "v1")
    entry = {"kind": "image", "name": name, "key": "own", "where": "nodes", "size": 1}
    lock.put(name, {**entry, "digest": stored.manifest})


@pytest.fixture
def other(tmp_path: Path) -> Cache:
    """The cache of another machine."""
    return Cache(tmp_path / "there")


@pytest.fixture
def exported(filled: Cache, tmp_path: Path) -> Path:
    archive.export(filled, tmp_path / "bundle.tar")
    return tmp_path / "bundle.tar"


def rewritten(path: Path, change: Change) -> None:
    """Write an archive again, with other members."""
    members = []
    with tarfile.open(path) as old:
        for member in old:
            content = old.extractfile(member)
            assert content is not None
            members.append((member.name, content.read()))
    change(members)
    with tarfile.open(path, "w") as new:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))


def says(path: Path, **values: Any) -> None:
    """Have the archive say something else of itself."""

    def change(members: list[tuple[str, bytes]]) -> None:
        told = json.loads(members[0][1])
        members[0] = (members[0][0], json.dumps({**told, **values}).encode())

    rewritten(path, change)


def test_what_comes_out_is_what_went_in(
    filled: Cache, exported: Path, other: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.take(other, exported)
    here, there = Lock(filled.lock_file), Lock(other.lock_file)
    assert (there.backend, there.components, there.releases) == (
        here.backend,
        here.components,
        here.releases,
    )
    assert contents.status(other)[1] == 0
    for entry in there.components.values():
        assert other.store.faults(contents.digest_of(entry), content=True) == {}
    assert other.store.tagged("app", "v1") == there.components["team.example/app:v1"]["digest"]
    assert contents.executable(other, "tool").read_bytes().startswith(b"#!/bin/sh\necho tool\n")
    assert "import: " in capsys.readouterr().out


def test_the_same_bundle_gives_the_same_archive(filled: Cache, exported: Path) -> None:
    first = exported.read_bytes()
    archive.export(filled, exported)
    assert exported.read_bytes() == first


def test_what_was_added_by_hand_there_stays(exported: Path, other: Cache, tmp_path: Path) -> None:
    other.prepare()
    lock = Lock(other.lock_file)
    own(other, lock, "mine.example/mine:v1", tmp_path)
    own(other, lock, "elsewhere.example/app:v1", tmp_path)
    archive.take(other, exported)
    names = set(Lock(other.lock_file).components)
    assert names == {"tool", "other", "team.example/app:v1", "mine.example/mine:v1"}


def test_a_corrupt_blob_is_not_exported(filled: Cache, tmp_path: Path) -> None:
    blob = Lock(filled.lock_file).components["tool"]["blob"]
    path = filled.store.blob_path(blob)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match=rf"files/tool:v1: blob {blob} of the bundle is corrupt"):
        archive.export(filled, tmp_path / "bundle.tar")
    assert not list(tmp_path.glob("*bundle.tar*"))


def test_a_bundle_that_is_not_filled_is_not_exported(filled: Cache, tmp_path: Path) -> None:
    filled.store.blob_path(Lock(filled.lock_file).components["tool"]["blob"]).unlink()
    with pytest.raises(BundleError, match="the bundle isn't filled yet; run `make bundle`"):
        archive.export(filled, tmp_path / "bundle.tar")


def test_a_target_that_is_no_file_is_refused(filled: Cache, tmp_path: Path) -> None:
    for target in (tmp_path, tmp_path / "none" / "bundle.tar"):
        with pytest.raises(BundleError, match="expected the path of a file"):
            archive.export(filled, target)


def corrupt(members: list[tuple[str, bytes]]) -> None:
    name, content = members[-1]
    members[-1] = (name, content[:-1] + bytes([content[-1] ^ 1]))


def lacking(members: list[tuple[str, bytes]]) -> None:
    members.pop()


def with_another(members: list[tuple[str, bytes]]) -> None:
    members.append(("../../etc/passwd", b"x"))


def twice(members: list[tuple[str, bytes]]) -> None:
    members.append(members[-1])


def without_first(members: list[tuple[str, bytes]]) -> None:
    members.pop(0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (corrupt, r"corrupt: files/tool:v1: blob sha256:\w+ has other content: sha256:"),
        (lacking, r"truncated: 1 of \d+ blobs are not in it, among them sha256:\w+ of files/tool"),
        (with_another, "'../../etc/passwd' doesn't belong into it"),
        (twice, "doesn't belong into it"),
        (without_first, "which begins with roost-bundle.json; found 'blobs/sha256"),
    ],
)
def test_an_archive_that_is_not_whole_is_refused(
    exported: Path, other: Cache, change: Change, said: str
) -> None:
    rewritten(exported, change)
    with pytest.raises(BundleError, match=f"{exported}: .*{said}"):
        archive.take(other, exported)
    assert not other.lock_file.exists()


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_copy_that_broke_off_is_refused(exported: Path, other: Cache, part: float) -> None:
    content = exported.read_bytes()
    exported.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(BundleError, match=rf"{exported}: (truncated|expected a whole file)"):
        archive.take(other, exported)
    assert not other.lock_file.exists()
    exported.write_bytes(content)
    archive.take(other, exported)
    assert contents.status(other)[1] == 0


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 1000, b"\x00" * 10240])
def test_a_foreign_file_is_refused(exported: Path, other: Cache, content: bytes) -> None:
    exported.write_bytes(content)
    with pytest.raises(BundleError, match=f"{exported}: expected a "):
        archive.take(other, exported)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"architecture": "s390x"}, "is a bundle for s390x, this machine is "),
        ({"format": 2}, "has format 2, expected 1"),
        ({"backend": "magic"}, "contradicts itself"),
        ({"components": {"x": {"kind": "image", "name": "../../x:v1", "digest": "d"}}}, "itself"),
        ({"components": {"x": 1}}, "can't be read"),
        ({"blobs": {}}, "contradicts itself"),
        ({"releases": {"https://site.example/tool": "b" * 64}}, "expected a{64}, which was"),
    ],
)
def test_an_archive_that_says_something_else_is_refused(
    exported: Path, other: Cache, filled: Cache, values: dict[str, Any], said: str
) -> None:
    says(exported, **values)
    before = filled.lock_file.read_bytes()
    with pytest.raises(BundleError, match=f"{exported}: .*{said}"):
        archive.take(filled, exported)
    assert filled.lock_file.read_bytes() == before


def test_a_file_that_is_not_there(other: Cache, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"none.tar: expected a file that `make bundle-export`"):
        archive.take(other, tmp_path / "none.tar")


@pytest.mark.parametrize(
    "change",
    [{"sha256": "../../../../home"}, {"blob": "../../etc/x"}, {"key": None}, {"size": "1"}],
)
def test_an_entry_that_names_other_places_is_refused(
    filled: Cache, exported: Path, other: Cache, change: dict[str, Any]
) -> None:
    components = Lock(filled.lock_file).components
    says(exported, components={**components, "tool": {**components["tool"], **change}})
    with pytest.raises(BundleError, match="contradicts itself"):
        archive.take(other, exported)
    assert not other.lock_file.exists()
