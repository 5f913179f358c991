# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs that were killed, and other versions of the list, have left in the cache."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundle import fill
from bundle.cache import Cache, Lock
from bundle.errors import BundleError
from tests.played_site import DIES, Site

KEY = "k" * 64


@contextmanager
def killed_while_it_removes() -> Iterator[None]:
    """The first removal ends with everything when one file is gone."""

    def half(folder: Path, **_given: bool) -> None:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                path.unlink()
                raise RuntimeError("killed")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(shutil, "rmtree", half)
        yield


def source(cache: Cache, key: str = KEY) -> Path:
    """A source that has been built, of two files."""
    with cache.new_source_folder("tool", key) as folder:
        for name in ("first", "second"):
            (folder / name).write_text(key)
    return cache.source_folder("tool", key)


def test_a_removal_that_is_killed_leaves_no_half_source(cache: Cache) -> None:
    folder = source(cache)
    with killed_while_it_removes():
        cache.keep_only("sources", ())
    assert not folder.exists()
    assert len(list(cache.root.rglob("second"))) == 1, "one of both files"
    cache.tidy()
    assert list((cache.root / "sources").iterdir()) == []


def test_nor_does_that_of_an_older_result(cache: Cache) -> None:
    older = source(cache)
    with killed_while_it_removes():
        source(cache, "n" * 64)
    assert not older.exists()
    cache.tidy()
    assert list((cache.root / "sources" / "tool").iterdir()) == []


def test_nor_does_that_of_the_whole_bundle(cache: Cache) -> None:
    folder = source(cache)
    with killed_while_it_removes():
        cache.remove()
    assert not folder.exists()
    cache.remove()
    assert not cache.root.exists()


def test_a_release_whose_removal_was_killed_is_fetched_again_when_it_is_needed(
    played: Site, cache: Cache
) -> None:
    with killed_while_it_removes():
        fill.fill(cache, ["left", "right"])
    cache.store.blob_path(Lock(cache.lock_file).components["left"]["blob"]).unlink()
    assert set(fill.fill(cache, [])) == {"tool", "left", "image"}
    assert not list((cache.root / "sources").rglob("*.tmp"))


def test_what_a_killed_run_has_fetched_for_nothing_is_removed(played: Site, cache: Cache) -> None:
    """It was killed when all was recorded; a first version had another list, and half a build."""
    fill.fill(cache, [])
    for path in (
        "release-tool/0123456789abcdef/tool",
        "renamed/0123456789abcdef/tool",
        "tool/0123456789abcdef/tool",
        "image/0123456789abcdef.x.tmp/half",
    ):
        (cache.root / "sources" / path).parent.mkdir(parents=True)
        (cache.root / "sources" / path).write_text("")
    (cache.root / "downloads").mkdir()
    (cache.root / "downloads" / "release-tool-0123456789abcdef").write_text("half")
    assert fill.fill(cache, []) == []
    assert not (cache.root / "downloads").exists()
    kept = (cache.root / "sources").glob("*/*/*")
    assert [path.relative_to(cache.root) for path in kept] == [
        Path("sources/tool/0123456789abcdef/tool")
    ], "what a build from this list can use"


def test_what_is_fetched_for_others_waits_for_them(played: Site, cache: Cache) -> None:
    played.fail("/pair-2-linux-amd64.tgz", DIES)
    with pytest.raises(BundleError, match="broke off"):
        fill.fill(cache, ["left"])
    (partial,) = (cache.root / "downloads").iterdir()
    assert fill.fill(cache, ["tool"]) == ["tool"]
    assert partial.exists()
    played.faults.clear()
    played.requests.clear()
    fill.fill(cache, ["left"])
    (span,) = played.asked("/pair-2-linux-amd64.tgz")
    assert span.startswith("bytes="), "it goes on"
    assert not partial.exists()
