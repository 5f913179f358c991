# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Room on several disks: /proc is one that never has any."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bundle import fill
from bundle.cache import Cache
from bundle.components import Components
from bundle.disk import Need, held, require_free
from bundle.errors import BundleError

FULL = Path("/proc/roost/cache")


def test_needs_on_one_disk_add_up(tmp_path: Path) -> None:
    most = shutil.disk_usage(tmp_path).free * 3 // 4
    first = Need(tmp_path / "not" / "yet" / "there", most, "FIRST")
    second = Need(tmp_path, most, "SECOND")
    require_free([first], "try")
    require_free([second], "try")
    with pytest.raises(BundleError) as error:
        require_free([first, second], "try")
    said = str(error.value)
    assert f"{first.folder} ({most / 1e9:.1f} GB), {tmp_path} ({most / 1e9:.1f} GB): " in said
    assert f"GB free, expected {2 * most / 1e9:.1f} GB to try: " in said
    assert said.endswith("make room, or take a folder on another disk by FIRST, SECOND")


def test_only_the_disk_that_is_short_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as error:
        require_free([Need(tmp_path, 1, "HERE"), Need(FULL, 2 * 10**9, "THERE")], "try")
    assert str(error.value) == (
        f"{FULL} (2.0 GB): 0.0 GB free, expected 2.0 GB to try: 2.0 GB are lacking; make room, or "
        "take a folder on another disk by THERE"
    )


def test_every_disk_that_is_short_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as error:
        require_free([Need(tmp_path, 10**18, "HERE"), Need(FULL, 10**9, "THERE")], "try")
    first, second = str(error.value).splitlines()
    assert first.startswith(f"{tmp_path} (1000000000.0 GB): ")
    assert second.startswith(f"{FULL} (1.0 GB): 0.0 GB free, expected 1.0 GB")
    assert second.endswith("by HERE, THERE")


@pytest.fixture
def homes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Go that has its caches on a full disk, and a Docker on this one."""
    programs = {
        "go": "case $1 in version) echo go version go1.99.0;; env) shift; for name; do "
        f"echo {FULL}/$name; done;; esac",
        "docker": f"[ $1 = info ] && echo {tmp_path}/docker",
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("BUNDLE_SOURCE", "build")


@pytest.mark.usefixtures("homes")
def test_a_build_looks_where_go_and_docker_keep_things(cache: Cache, tmp_path: Path) -> None:
    needs = fill._needs(cache, compiles=True, in_docker=True)
    assert [(need.folder, need.setting) for need in needs] == [
        (cache.root, "ROOST_CACHE"),
        (FULL / "GOCACHE", "GOCACHE"),
        (FULL / "GOMODCACHE", "GOMODCACHE"),
        (tmp_path / "docker", fill.DOCKER),
    ]
    assert sum(need.size for need in needs) == 21 * 10**9 - held(cache.root)
    assert [need.folder for need in fill._needs(cache, False, False)] == [cache.root]


def test_what_an_earlier_run_has_left_is_taken_off(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fill, "BYTES", {"ROOST_CACHE": 10 << 20})
    monkeypatch.setattr(fill, "LEAST_BYTES", 2 << 20)
    (cache.root / "sources").mkdir(parents=True)
    [before] = fill._needs(cache, False, False)
    (cache.root / "sources" / "half").write_bytes(bytes(4 << 20))
    [after] = fill._needs(cache, False, False)
    assert before.size - after.size == 4 << 20
    (cache.root / "sources" / "rest").write_bytes(bytes(8 << 20))
    assert [need.size for need in fill._needs(cache, False, False)] == [2 << 20]


@pytest.mark.usefixtures("homes")
def test_a_build_is_not_begun_whose_go_caches_have_no_room(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fill, "BYTES", dict.fromkeys(fill.BYTES, 10**6))
    assert Components("build").components["runc"].sources[0].recipe == "go"
    with pytest.raises(BundleError, match=r"/proc/roost/cache/GOCACHE .* lacking; .* GOMODCACHE$"):
        fill.fill(cache, ["runc"])
    assert not (cache.root / "sources").exists()
