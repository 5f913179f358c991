# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fills the bundle: fetches or builds what the lock and the store don't hold yet."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from bundle import backend, contents, images, sources
from bundle.cache import ROOT_VARIABLE, Cache, Lock
from bundle.components import RELEASE, Component, Components, Source
from bundle.disk import Need, held, require_free
from bundle.errors import BundleError
from bundle.names import repository_of
from bundle.progress import Board
from bundle.run import need, output

# Go's compiler uses all cores by itself; the second worker fills the time it waits.
WORKERS = 2
GO_CACHES = ("GOCACHE", "GOMODCACHE")
DOCKER = "data-root in Docker's daemon.json"
# What is needed where, by the setting that says where it lies. With everything cold 17 GB were
# measured: 2.8 in the bundle's cache (sources 1.9, store 0.6, tools 0.3), 8.2 and 5.2 in Go's, and
# 0.5 in Docker, which has base images beside that until all are built. What an earlier run has left
# in caches is taken off, but for some room to work in.
BYTES = {
    ROOT_VARIABLE: 4 * 10**9,
    "GOCACHE": 9 * 10**9,
    "GOMODCACHE": 6 * 10**9,
    DOCKER: 2 * 10**9,
}
LEAST_BYTES = 10**9
SAYS_SECONDS = 30


def fill(cache: Cache, names: Iterable[str]) -> list[str]:
    """Have the named components (all, if none is named) in the bundle; return what was missing."""
    with cache.exclusive():
        cache.tidy()
        lock = Lock(cache.lock_file)
        decision = backend.decide(os.environ, lambda: contents.filled_by(lock))
        print(f"bundle: {decision}", flush=True)
        components = Components(decision.backend)
        wanted = components.select(names)
        lock.backend = decision.backend
        with ThreadPoolExecutor(WORKERS) as pool:
            whole = list(pool.map(lambda item: _is_whole(cache, lock, item), wanted))
        missing = [item for item, is_whole in zip(wanted, whole) if not is_whole]
        if missing:
            _have(cache, lock, components, missing)
        _forget_done(cache, lock, components)
        contents.unpack_tools(cache, wanted)
        _check_own(cache, lock)
        return [item.id for item in missing]


def _is_whole(cache: Cache, lock: Lock, component: Component) -> bool:
    """Whether a component is there and nothing is wrong with it; what is wrong is told."""
    if not contents.is_recorded(lock, component):
        return False
    digest = contents.digest_of(lock.components[component.id])
    faults = cache.store.faults(digest, content=True)
    for blob, wrong in faults.items():
        print(f"bundle: {component.name}: blob {blob} {wrong}; it is made again", flush=True)
    if not faults:
        repository, tag = repository_of(component.name)
        if cache.store.tagged(repository, tag) != digest:  # a run was killed between the two
            cache.store.link(repository, tag, digest)
    return not faults


def _check_own(cache: Cache, lock: Lock) -> None:
    """An error where an image that was added by hand is damaged: nobody else has it."""
    for entry in lock.components.values():
        if entry["key"] == contents.OWN:
            for blob, wrong in cache.store.faults(entry["digest"], content=True).items():
                raise BundleError(
                    f"{entry['name']}: blob {blob} {wrong}; it was added by hand, so add it again "
                    "with `make image`"
                )


def _have(cache: Cache, lock: Lock, components: Components, missing: list[Component]) -> None:
    needed = [
        source
        for source in _sources_of(missing)
        if not cache.source_folder(source.name, source.key).is_dir()
    ]
    compiles = any(source.recipe in ("go", "c") for source in needed)
    if compiles:
        sources.check_go(components.go)
    in_docker = any(item.kind == "image" and not item.release for item in missing)
    require_free(_needs(cache, compiles, in_docker), "fill the bundle")
    with Board(len(needed) + len(missing)) as board:
        _in_parallel(needed, lambda source: _have_source(cache, lock, source, board))
        _in_parallel(missing, lambda item: _have_component(cache, lock, item, board))
    if in_docker:
        images.forget_build_images(cache)


def _needs(cache: Cache, compiles: bool, in_docker: bool) -> list[Need]:
    folders = {ROOT_VARIABLE: str(cache.root)}
    if compiles:
        folders |= zip(GO_CACHES, output([need("go"), "env", *GO_CACHES]).splitlines())
    needs = [
        Need(Path(folder), max(BYTES[setting] - held(Path(folder)), LEAST_BYTES), setting)
        for setting, folder in folders.items()
    ]
    if in_docker:
        root = images.docker("info", "--format", "{{.DockerRootDir}}")
        needs.append(Need(Path(root), BYTES[DOCKER], DOCKER))
    return needs


def _forget_done(cache: Cache, lock: Lock, components: Components) -> None:
    """Remove downloads of what is recorded, for the store has what was in them, and sources that
    the list doesn't have any more."""
    every = components.components.values()
    waiting = _sources_of([item for item in every if not contents.is_recorded(lock, item)])
    cache.keep_only("sources", {*components.sources, *(source.name for source in waiting)})
    cache.keep_only("downloads", {_partial(source) for source in waiting})


def _partial(source: Source) -> str:
    """Name of the file in which an unfinished download waits."""
    return f"{source.name}-{source.key[:16]}"


def _sources_of(components: list[Component]) -> list[Source]:
    used = {source.name: source for item in components for source in item.sources}
    return list(used.values())


def _in_parallel(items: Iterable[Any], work: Callable[[Any], None]) -> None:
    """Do `work` on each item; at the first error begin nothing more, and raise it."""
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = [pool.submit(work, item) for item in items]
        done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
        for future in waiting:
            future.cancel()
        for future in done:
            future.result()


def _have_source(cache: Cache, lock: Lock, source: Source, board: Board) -> None:
    downloads = cache.root / "downloads"
    downloads.mkdir(exist_ok=True)
    with (
        board.line(f"{source.name} {source.version}") as report,
        cache.new_source_folder(source.name, source.key) as folder,
    ):
        job = sources.Job(
            source,
            folder,
            cache.log(f"source-{source.name}"),
            report,
            partial=downloads / _partial(source),
            pinned=lock.releases.get(source.spec.get("url", ""), ""),
        )
        sources.build(job)


def _have_component(cache: Cache, lock: Lock, component: Component, board: Board) -> None:
    with board.line(component.name) as report:
        entry: dict[str, Any] = {
            "kind": component.kind,
            "name": component.name,
            "version": component.version,
            "key": component.key,
            "where": component.where,
        }
        fetched: dict[str, str] = {}
        if component.kind == "file":
            entry.update(_store_file(cache, component))
            fetched = _release_of(cache, component)
        elif component.release:
            log = cache.log(component.id)
            pinned = lock.releases.get(component.release, "")
            digest, size = images.pull_image(
                cache, component.release, component.name, log, pinned, report
            )
            entry.update({"digest": digest, "size": size})
            fetched = {component.release: digest}
        else:
            entry.update(_store_image(cache, component, report))
        if component.proxy:
            entry["proxy"] = component.proxy
        board.record(lambda: lock.put(component.id, entry, fetched))


def _release_of(cache: Cache, component: Component) -> dict[str, str]:
    """Address and sha256 (hex) of the download that a file is from, if it is from one."""
    (source,) = component.sources
    if source.recipe != RELEASE:
        return {}
    record = cache.source_folder(source.name, source.key) / sources.RELEASE_RECORD
    release = json.loads(record.read_text())
    return {release["url"]: release["sha256"]}


def _store_file(cache: Cache, component: Component) -> dict[str, Any]:
    source = component.sources[0]
    path = cache.source_folder(source.name, source.key) / component.member
    if not path.is_file():
        made = source.spec.get("url", source.name)
        raise BundleError(
            f"{component.name}: expected {component.member} in {made}, which has no such file; put "
            "its path right in bundle/components.yml"
        )
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
        digest, size = images.build_image(cache, component, context, cache.log(component.id))
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
