# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node import digests, store_disk
from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError
from ansible_collections.roost.cluster.plugins.module_utils.node.store_disk import (
    STATE,
    commit,
    look,
    make_staging,
    require_space,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.store_layout import (
    REGISTRY,
    Contents,
    blame,
    blob_path,
    contents,
)

from tests.unit.node.helpers import PILOT, Store, digest_of, files_below


def stage(store: Store, staging: Path, *names: str) -> None:
    make_staging(staging, os.geteuid(), os.getegid())
    for digest in names:
        shutil.copy(store.root / blob_path(digest), staging / digest[7:])


def test_a_store_is_completed_and_stays(
    tmp_path: Path, store: Store, bundle: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, staging = tmp_path / "root", tmp_path / "root/staging"
    seen = look(root, staging, bundle.blobs, bundle.links, check=False)
    assert {blob["digest"]: blob["size"] for blob in seen.missing} == bundle.blobs
    assert {link["path"] for link in seen.links} == set(bundle.links)
    stage(store, staging, *bundle.blobs)
    assert stat.S_IMODE(staging.stat().st_mode) == 0o700
    assert commit(root, staging, bundle.blobs, bundle.links) == (
        len(bundle.blobs),
        len(bundle.links),
    )
    assert files_below(root) - {STATE} == store.files()
    assert not staging.exists()
    assert all(
        stat.S_IMODE((root / blob_path(digest)).stat().st_mode) == 0o644 for digest in bundle.blobs
    )
    monkeypatch.setattr(digests, "sha256_of", lambda path: pytest.fail(f"read {path} again"))
    again = look(root, staging, bundle.blobs, bundle.links, check=False)
    assert (again.missing, again.staged, again.links) == ([], [], [])
    assert not staging.exists()


def test_a_check_makes_and_removes_nothing(tmp_path: Path, store: Store, bundle: Contents) -> None:
    root, staging = tmp_path / "root", tmp_path / "root/staging"
    staging.mkdir(parents=True)
    (staging / "rubbish").write_text("x")
    missing = look(root, staging, bundle.blobs, bundle.links, check=True).missing
    assert len(missing) == len(bundle.blobs)
    assert files_below(root) == {"staging/rubbish"}


def test_what_a_killed_transfer_left_is_used_where_it_is_whole(
    tmp_path: Path, store: Store, bundle: Contents
) -> None:
    root, staging = tmp_path / "root", tmp_path / "root/staging"
    whole, cut, wrong = digest_of(b"layer one"), digest_of(b"layer two"), digest_of(b"{}")
    stage(store, staging, whole)
    (staging / cut[7:]).write_bytes(b"layer")
    (staging / wrong[7:]).write_bytes(b"()")
    (staging / "folder").mkdir()
    seen = look(root, staging, bundle.blobs, bundle.links, check=False)
    assert seen.staged == [whole]
    assert [entry.name for entry in staging.iterdir()] == [whole[7:]]
    stage(store, staging, *(str(blob["digest"]) for blob in seen.missing))
    commit(root, staging, bundle.blobs, bundle.links)
    assert files_below(root) - {STATE} == store.files()


def test_a_blob_that_arrives_corrupt_is_named_and_not_installed(
    tmp_path: Path, store: Store, bundle: Contents
) -> None:
    root, staging, bad = tmp_path / "root", tmp_path / "root/staging", digest_of(b"layer one")
    stage(store, staging, *bundle.blobs)
    (staging / bad[7:]).write_bytes(b"layer 0ne")
    with pytest.raises(StateError, match=f"the blob {bad} arrived corrupt, its sha256 is") as error:
        commit(root, staging, bundle.blobs, bundle.links)
    assert not (root / blob_path(bad)).exists()
    assert not (root / REGISTRY / "repositories").exists()  # no tag leads to it
    told = blame(store.root, bundle, str(error.value))
    assert told.endswith("pilot: the bundle's own copy is whole: run the same again")
    (store.root / blob_path(bad)).write_bytes(b"layer 0ne")
    assert "pilot: the bundle's own copy is corrupt: run `python -m bundle fill pilot`" in blame(
        store.root, bundle, str(error.value)
    )


def test_a_blob_that_does_not_arrive_is_named(
    tmp_path: Path, store: Store, bundle: Contents
) -> None:
    root, staging, lost = tmp_path / "root", tmp_path / "root/staging", digest_of(b"layer one")
    stage(store, staging, *(digest for digest in bundle.blobs if digest != lost))
    with pytest.raises(StateError, match=f"the blob {lost} did not arrive"):
        commit(root, staging, bundle.blobs, bundle.links)


def test_a_link_is_no_blob(tmp_path: Path, store: Store, bundle: Contents) -> None:
    """Whoever writes to the staging directory must not have another file taken for a blob."""
    root, staging, one = tmp_path / "root", tmp_path / "root/staging", digest_of(b"layer one")
    stage(store, staging, *bundle.blobs)
    elsewhere = tmp_path / "elsewhere"
    (staging / one[7:]).rename(elsewhere)
    (staging / one[7:]).symlink_to(elsewhere)
    assert one not in look(root, staging, bundle.blobs, {}, check=True).staged
    with pytest.raises(StateError, match=one):
        commit(root, staging, bundle.blobs, bundle.links)
    with pytest.raises(StateError, match="is a link, expected a directory"):
        (tmp_path / "link").symlink_to(tmp_path)
        make_staging(tmp_path / "link", 0, 0)


def installed(tmp_path: Path, store: Store) -> Path:
    root = tmp_path / "root"
    shutil.copytree(store.root, root)
    return root


@pytest.mark.parametrize(
    ("data", "why"), [(b"layer 0ne", "corrupt: its sha256 is"), (b"layer", "5 bytes, expected 9")]
)
def test_a_blob_that_went_bad_is_replaced(
    tmp_path: Path, store: Store, bundle: Contents, data: bytes, why: str
) -> None:
    root, bad = installed(tmp_path, store), digest_of(b"layer one")
    (root / blob_path(bad)).write_bytes(data)
    (blob,) = look(root, root / "staging", bundle.blobs, bundle.links, check=False).missing
    assert blob["digest"] == bad
    assert str(blob["why"]).startswith(why)
    stage(store, root / "staging", bad)
    assert commit(root, root / "staging", {bad: 9}, {}) == (1, 0)
    assert (root / blob_path(bad)).read_bytes() == b"layer one"


def test_blobs_that_are_known_are_not_read_again(
    tmp_path: Path, store: Store, bundle: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = installed(tmp_path, store)
    monkeypatch.setattr(digests, "TICK_NS", -(10**9))
    assert look(root, root / "staging", bundle.blobs, bundle.links, check=False).missing == []
    monkeypatch.setattr(digests, "sha256_of", lambda path: pytest.fail(f"read {path} again"))
    assert look(root, root / "staging", bundle.blobs, bundle.links, check=False).missing == []


def test_a_moved_tag_is_moved_and_nothing_is_removed(
    tmp_path: Path, store: Store, bundle: Contents
) -> None:
    root, before = installed(tmp_path, store), store.files()
    new = store.image("pilot", PILOT, "1.31.0", [b"layer one", b"layer three"])
    after = contents(store.root, store.components)
    seen = look(root, root / "staging", after.blobs, after.links, check=False)
    assert {blob["digest"] for blob in seen.missing} == {new, digest_of(b"layer three")}
    moved = [link for link in seen.links if link["path"].endswith("/current/link")]
    assert [link["why"].endswith(f"expected {new}") for link in moved] == [True]
    stage(store, root / "staging", *(str(blob["digest"]) for blob in seen.missing))
    commit(root, root / "staging", after.blobs, after.links)
    assert before <= files_below(root)
    assert (root / REGISTRY / moved[0]["path"]).read_text() == new


def test_a_tag_is_written_after_all_that_it_leads_to(
    tmp_path: Path, store: Store, bundle: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, written = tmp_path / "root", []
    stage(store, root / "staging", *bundle.blobs)
    replace = Path.replace

    def note(self: Path, target: Path) -> Path:
        written.append(str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", note)
    commit(root, root / "staging", bundle.blobs, bundle.links)
    kinds = ["data", "_layers", "revisions", "/index/", "/current/"]
    order = [
        next(n for n, kind in enumerate(kinds) if kind in path)
        for path in written
        if "verified" not in path
    ]
    assert order == sorted(order)


@pytest.mark.parametrize(
    "path",
    [
        "../x/link",
        "repositories/../../../etc/link",
        "blobs/x/link",
        "repositories/a/x",
        "repositories//link",
    ],
)
def test_only_links_of_repositories_are_written(tmp_path: Path, path: str) -> None:
    with pytest.raises(StateError, match="is not a link file"):
        commit(tmp_path, tmp_path / "staging", {}, {path: digest_of(b"")})


def test_a_full_disk_is_told_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_disk, "free_mb", lambda path: 150)
    require_space(tmp_path, 50 << 20)
    with pytest.raises(StateError, match="150 MiB are free, 300 MiB are needed .* free 150 MiB"):
        require_space(tmp_path, 200 << 20)
