# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is in the bundle: which components are there, the files to run here, one's own images."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from pathlib import Path
from typing import IO, Any

from bundle import images
from bundle.backend import BACKENDS, BUILD, VARIABLE
from bundle.cache import Cache, Lock
from bundle.components import Component, Components
from bundle.disk import require_free
from bundle.errors import BundleError
from bundle.names import repository_of

OWN = "own"


def digest_of(entry: dict[str, Any]) -> str:
    """The digest of a component's manifest."""
    return str(entry["manifest" if entry["kind"] == "file" else "digest"])


def is_recorded(lock: Lock, component: Component) -> bool:
    """Whether the lock has this component for the same input."""
    entry = lock.components.get(component.id)
    return bool(entry and entry["key"] == component.key and entry["name"] == component.name)


def is_current(cache: Cache, lock: Lock, component: Component) -> bool:
    """Whether the lock has this component for the same input, and the store holds it whole."""
    return is_recorded(lock, component) and cache.store.complete(
        digest_of(lock.components[component.id])
    )


def filled_by(lock: Lock) -> str | None:
    """The back end that has filled the bundle, or begun to: what is built either way isn't all that
    is recorded. It stays when a version is raised, a sample changed or a blob lost."""
    if lock.backend not in BACKENDS:
        return None
    known = Components(lock.backend).components.values()
    begun = any("fetch" in item.spec and item.id in lock.components for item in known)
    return lock.backend if begun else None


def present(lock: Lock) -> Components:
    """The components as the back end names them that has filled the bundle, or would."""
    wanted = lock.backend or os.environ.get(VARIABLE, "")
    return Components(wanted if wanted in BACKENDS else BUILD)


def status(cache: Cache) -> tuple[list[tuple[str, str, int]], int]:
    """Rows (name, state, bytes) of all components, and how many are missing."""
    lock = Lock(cache.lock_file)
    components = present(lock)
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


def executable(cache: Cache, name: str) -> Path:
    """Path of a file of the bundle, unpacked for use on the controller."""
    entry = Lock(cache.lock_file).get(name)
    if entry["kind"] != "file":
        raise BundleError(f"{name}: is an image; only files can be run on the controller")
    target: Path = cache.root / "bin" / entry["sha256"][:16] / name
    if not target.exists():
        with cache.exclusive("unpack", "another process is unpacking a file"):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f"{name}.tmp")
            with temporary.open("wb") as out:
                _unpack(cache, name, entry, out)
            temporary.chmod(0o755)
            temporary.replace(target)
    return target


def _unpack(cache: Cache, name: str, entry: dict[str, Any], out: IO[bytes]) -> None:
    """Write a file's content; an error unless it is what the lock says."""
    digest = hashlib.sha256()
    try:
        with gzip.open(cache.store.blob_path(entry["blob"])) as blob:
            while chunk := blob.read(1 << 20):
                digest.update(chunk)
                out.write(chunk)
        found = digest.hexdigest()
    except (EOFError, gzip.BadGzipFile, zlib.error, FileNotFoundError) as error:
        found = f"nothing that can be unpacked ({error})"
    if found != entry["sha256"]:
        raise BundleError(
            f"{name}: blob {entry['blob']} of the bundle is corrupt: expected a file with sha256 "
            f"{entry['sha256']}, found {found}; run `python -m bundle fill {name}`"
        )


def unpack_tools(cache: Cache, components: list[Component]) -> None:
    """Have the files that only the controller uses ready to run, where playbooks look for them."""
    for item in components:
        if item.kind == "file" and item.where == "controller":
            executable(cache, item.id)


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
            if entry["name"] == reference and entry["key"] != OWN:
                raise BundleError(f"{reference}: belongs to the bundle itself; use another name")
        # Once on its way, and once in the store.
        require_free([cache.need(2 * images.size_of(origin))], f"add {reference}")
        log = cache.log("image-" + "-".join(place).replace("/", "-"))
        if origin.startswith("docker://"):
            digest, size = images.pull_image(cache, reference, reference, log)
        else:
            digest, size = images.take_image(cache, origin, reference, log)
        entry = {
            "kind": "image",
            "name": reference,
            "version": place[1],
            "key": OWN,
            "where": "nodes",
            "digest": digest,
            "size": size,
        }
        lock.put(reference, entry)
        return entry
