# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fills the bundle: builds what the lock and the store don't hold yet."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from bundle import images, sources
from bundle.cache import Cache, Lock
from bundle.components import Component, Components, Source
from bundle.errors import BundleError
from bundle.names import repository_of
from bundle.progress import Board

# Go's compiler uses all cores by itself; the second worker fills the time it waits.
WORKERS = 2
# What a build needs with Go's caches cold (measured: 17 GB with everything), and otherwise: root
# file systems, images in Docker, the store.
COLD_BYTES = 18 * 10**9
WARM_BYTES = 5 * 10**9
SAYS_SECONDS = 30


def is_current(cache: Cache, lock: Lock, component: Component) -> bool:
    """Whether the lock has this component for the same input, and the store holds it whole."""
    entry = lock.components.get(component.id)
    if not entry or entry["key"] != component.key or entry["name"] != component.name:
        return False
    return cache.store.complete(entry["manifest" if component.kind == "file" else "digest"])


def fill(cache: Cache, components: Components, names: Iterable[str]) -> list[str]:
    """Build what is missing of the named components (all, if none is named); return its names."""
    with cache.exclusive():
        lock = Lock(cache.lock_file)
        wanted = components.select(names)
        missing = [item for item in wanted if not is_current(cache, lock, item)]
        if not missing:
            _unpack_tools(cache, wanted)
            return []
        needed = _missing_sources(cache, missing)
        compiles = any(source.recipe in ("go", "c") for source in needed)
        _check_disk(cache, COLD_BYTES if compiles else WARM_BYTES)
        if compiles:
            sources.check_go(components.go)
        shutil.rmtree(cache.root / "work", ignore_errors=True)
        with Board(len(needed) + len(missing)) as board:
            _in_parallel(needed, lambda source: _build_source(cache, source, board))
            _in_parallel(missing, lambda item: _build_component(cache, lock, item, board))
        images.forget_build_images()
        _unpack_tools(cache, wanted)
        return [item.id for item in missing]


def _unpack_tools(cache: Cache, components: list[Component]) -> None:
    """Have the files that only the controller uses ready to run, where playbooks look for them."""
    for item in components:
        if item.kind == "file" and item.where == "controller":
            executable(cache, item.id)


def _check_disk(cache: Cache, needed: int) -> None:
    free = shutil.disk_usage(cache.root).free
    if free < needed:
        raise BundleError(
            f"{cache.root}: {free / 1e9:.1f} GB free, {needed / 1e9:.0f} GB are needed to build "
            "the bundle; make room, or set ROOST_CACHE to a folder on another disk"
        )


def _missing_sources(cache: Cache, components: list[Component]) -> list[Source]:
    used = {source.name: source for item in components for source in item.sources}
    return [
        source
        for source in used.values()
        if not cache.source_folder(source.name, source.key).is_dir()
    ]


def _in_parallel(items: Iterable[Any], work: Callable[[Any], None]) -> None:
    """Do `work` on each item; at the first error begin nothing more, and raise it."""
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = [pool.submit(work, item) for item in items]
        done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
        for future in waiting:
            future.cancel()
        for future in done:
            future.result()


def _log(cache: Cache, name: str) -> Path:
    log = cache.logs / f"{name}.log"
    log.unlink(missing_ok=True)
    return log


def _build_source(cache: Cache, source: Source, board: Board) -> None:
    with (
        board.line(f"{source.name} {source.version}") as report,
        cache.new_source_folder(source.name, source.key) as folder,
    ):
        sources.build(sources.Job(source, folder, _log(cache, f"source-{source.name}"), report))


def _build_component(cache: Cache, lock: Lock, component: Component, board: Board) -> None:
    with board.line(component.name) as report:
        entry: dict[str, Any] = {
            "kind": component.kind,
            "name": component.name,
            "version": component.version,
            "key": component.key,
            "where": component.where,
        }
        if component.kind == "file":
            entry.update(_store_file(cache, component))
        else:
            entry.update(_store_image(cache, component, report))
        if "proxy" in component.spec:
            entry["proxy"] = component.spec["proxy"]
        board.record(lambda: lock.put(component.id, entry))


def _store_file(cache: Cache, component: Component) -> dict[str, Any]:
    source = component.sources[0]
    member = component.spec["file"].partition("/")[2]
    path = cache.source_folder(source.name, source.key) / member
    _check_says(component, path)
    repository, _, tag = component.name.partition(":")
    stored = cache.store.add_file(path, repository, tag)
    return {
        "manifest": stored.manifest,
        "blob": stored.blob,
        "size": stored.size,
        "sha256": stored.sha256,
    }


def _store_image(
    cache: Cache, component: Component, report: Callable[[str], None]
) -> dict[str, Any]:
    with images.build_context(cache, component) as context:
        if "says" in component.spec:
            _check_says(component, context / component.spec["says"]["run"][0])
        report("building the image")
        digest, size = images.build_image(cache, component, context, _log(cache, component.id))
    return {"digest": digest, "size": size}


def _check_says(component: Component, binary: Path) -> None:
    """A tag must say what is inside: compare it with what the binary says of itself."""
    says = component.spec["says"]
    arguments = says["run"] if component.kind == "file" else says["run"][1:]
    try:
        done = subprocess.run(
            [str(binary), *arguments],
            capture_output=True,
            text=True,
            timeout=SAYS_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BundleError(f"{component.name}: its version can't be asked: {error}") from error
    printed = (done.stdout + done.stderr).strip()
    if says["contains"] not in printed:
        raise BundleError(
            f"{component.name}: `{binary.name} {' '.join(arguments)}` printed {printed[:200]!r}; "
            f"expected {says['contains']!r} in it. The tag or the recipe in components.yml is wrong"
        )


def executable(cache: Cache, name: str) -> Path:
    """Path of a file of the bundle, unpacked for use on the controller."""
    entry = Lock(cache.lock_file).get(name)
    if entry["kind"] != "file":
        raise BundleError(f"{name}: is an image; only files can be run on the controller")
    target: Path = cache.root / "bin" / entry["sha256"][:16] / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{name}.tmp")
        with gzip.open(cache.store.blob_path(entry["blob"])) as blob, temporary.open("wb") as out:
            shutil.copyfileobj(blob, out)
        temporary.chmod(0o755)
        temporary.replace(target)
    return target


def status(cache: Cache, components: Components) -> tuple[list[tuple[str, str, int]], int]:
    """Rows (name, state, bytes) of all components, and how many are missing."""
    lock = Lock(cache.lock_file)
    rows: list[tuple[str, str, int]] = []
    for item in components.components.values():
        current = is_current(cache, lock, item)
        size = lock.components[item.id]["size"] if current else 0
        rows.append((item.name, "present" if current else "missing", size))
    known = set(components.components)
    for name, entry in lock.components.items():
        if name not in known:
            rows.append((entry["name"], "added by hand", entry["size"]))
    return rows, sum(state == "missing" for _, state, _ in rows)


def add_image(cache: Cache, reference: str, origin: str) -> dict[str, Any]:
    """Add one's own image to the bundle; `origin` is where skopeo reads it from."""
    place = repository_of(reference)
    with cache.exclusive():
        lock = Lock(cache.lock_file)
        for name, entry in lock.components.items():
            if entry["name"] != reference and repository_of(entry["name"]) == place:
                raise BundleError(
                    f"{reference}: would take the place of {entry['name']} ({name}) in the "
                    "registry, which leaves the registry's name out; give it another path or tag"
                )
            if entry["name"] == reference and entry["key"] != "own":
                raise BundleError(f"{reference}: belongs to the bundle itself; use another name")
        log = _log(cache, "image-" + "-".join(place).replace("/", "-"))
        digest, size = images.take_image(cache, origin, reference, log)
        entry = {
            "kind": "image",
            "name": reference,
            "version": place[1],
            "key": "own",
            "where": "nodes",
            "digest": digest,
            "size": size,
        }
        lock.put(reference, entry)
        return entry
