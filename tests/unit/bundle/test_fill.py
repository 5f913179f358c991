# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filling: nothing half-made has a final name, and what a tag says is checked."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bundle import contents, fill
from bundle.cache import Cache, Lock
from bundle.components import Component, Source
from bundle.errors import BundleError
from bundle.run import output, run

SOURCE = Source("tool", "v1", "go", {})


def component(contains: str) -> Component:
    spec = {"file": "tool/tool", "says": {"run": ["--version"], "contains": contains}}
    return Component("tool", "file", "files/tool:v1", "v1", spec, (SOURCE,))


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_source_gets_its_name_only_when_it_is_whole(cache: Cache) -> None:
    with (
        pytest.raises(RuntimeError, match="killed"),
        cache.new_source_folder("tool", "k" * 64) as folder,
    ):
        (folder / "half").write_text("")
        raise RuntimeError("killed")
    assert not cache.source_folder("tool", "k" * 64).exists()
    with cache.new_source_folder("tool", "k" * 64) as folder:
        assert list(folder.iterdir()) == [], "what the killed run left is gone"
        (folder / "tool").write_text("")
    assert (cache.source_folder("tool", "k" * 64) / "tool").exists()


def test_an_older_result_of_a_source_is_removed(cache: Cache) -> None:
    for key in ("a" * 64, "b" * 64):
        with cache.new_source_folder("tool", key) as folder:
            (folder / "tool").write_text(key)
    assert not cache.source_folder("tool", "a" * 64).exists()
    assert cache.source_folder("tool", "b" * 64).exists()


def test_a_binary_that_says_another_version_is_refused(tmp_path: Path) -> None:
    binary = program(tmp_path / "tool", "echo tool v2")
    fill._check_says(component("v2"), binary)
    with pytest.raises(BundleError, match=r"printed 'tool v2'; expected 'v1' in it"):
        fill._check_says(component("v1"), binary)


def test_a_binary_that_can_not_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="can't be asked"):
        fill._check_says(component("v1"), tmp_path / "missing")


def test_after_an_error_nothing_more_is_begun() -> None:
    begun: list[int] = []
    guard = threading.Lock()

    def work(item: int) -> None:
        with guard:
            begun.append(item)
        raise BundleError(f"item {item}")

    with pytest.raises(BundleError, match="item"):
        fill._in_parallel(range(50), work)
    assert len(begun) < 50


def test_a_file_of_the_bundle_can_be_run(cache: Cache, tmp_path: Path) -> None:
    stored = cache.store.add_file(program(tmp_path / "t", "echo it runs"), "files/tool", "v1")
    entry = {"kind": "file", "blob": stored.blob, "sha256": stored.sha256}
    Lock(cache.lock_file).put("tool", entry)
    path = contents.executable(cache, "tool")
    assert output([str(path)]).strip() == "it runs"
    assert contents.executable(cache, "tool") == path


def test_an_own_image_may_not_take_another_ones_place(cache: Cache) -> None:
    taken = {"kind": "image", "name": "registry.k8s.io/pause:3.10.2", "key": "k", "digest": "d"}
    Lock(cache.lock_file).put("pause", taken)
    with pytest.raises(BundleError, match=r"would take the place of registry.k8s.io/pause:3.10.2"):
        contents.add_image(cache, "my.example/pause:3.10.2", "docker-daemon:x")
    with pytest.raises(BundleError, match="belongs to the bundle itself"):
        contents.add_image(cache, "registry.k8s.io/pause:3.10.2", "docker-daemon:x")
    assert Lock(cache.lock_file).components == {"pause": taken}


def test_a_failing_command_is_shown_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    seen: list[str] = []
    with pytest.raises(BundleError, match=r"ended with 3; its last lines:\nbecause of this"):
        run(["sh", "-c", "echo because of this; exit 3"], log=log, on_line=seen.append)
    assert seen == ["because of this"]
    assert "because of this" in log.read_text()


def test_a_second_process_waits_for_the_first(cache: Cache) -> None:
    order: list[str] = []

    def second() -> None:
        with Cache(cache.root).exclusive():
            order.append("second")

    with cache.exclusive():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_removing_the_bundle_leaves_what_is_not_its_own(cache: Cache) -> None:
    Lock(cache.lock_file).put("tool", {})
    (cache.root / "store").mkdir()
    (cache.root / "thesis.txt").write_text("years of work")
    cache.remove()
    assert [path.name for path in cache.root.iterdir()] == ["thesis.txt"]


def test_a_relative_cache_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOST_CACHE", "cache")
    with pytest.raises(BundleError, match="cache is relative"):
        Cache()
