# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError
from ansible_collections.roost.cluster.plugins.module_utils.node.digests import sha256_of

REGISTRY = "docker/registry/v2"
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_HOST = re.compile(r"^(localhost|[^/]*[.:][^/]*)$")


@dataclass
class Contents:
    """What a store holds of some components: blobs with their sizes, and link files."""

    blobs: dict[str, int] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)  # path below REGISTRY → content
    owners: dict[str, str] = field(default_factory=dict)  # blob → a component it belongs to


def check_digest(digest: Any, what: str) -> str:
    if not isinstance(digest, str) or not _DIGEST.match(digest):
        raise StateError(f"{what} is {digest!r}, expected sha256: and 64 hex digits")
    return digest


def blob_path(digest: str) -> str:
    """Where a blob lies, below the store's root."""
    value = digest.partition(":")[2]
    return f"{REGISTRY}/blobs/sha256/{value[:2]}/{value}/data"


def repository_and_tag(reference: str) -> tuple[str, str]:
    """The repository path and tag of an image or file, without its registry's name."""
    name, separator, tag = reference.rpartition(":")
    if not separator or "/" in tag:
        raise StateError(f"{reference!r} has no tag: expected REPOSITORY:TAG")
    first, _slash, rest = name.partition("/")
    return (rest if rest and _HOST.match(first) else name), tag


def read_lock(path: Path) -> dict[str, Any]:
    """The components in a bundle's lock file."""
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
        components = lock["components"]
    except FileNotFoundError:
        raise StateError(
            f"{path}: missing: fill the bundle first (python -m bundle fill)"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(f"{path}: not a bundle's lock file: {error!r}") from None
    if not isinstance(components, dict):
        raise StateError(f"{path}: components is not a table of names")
    return components


def contents(
    store: Path, components: Mapping[str, Any], names: Collection[str] | None = None
) -> Contents:
    """Everything that the store needs to serve the components of these names, or all of them."""
    unknown = sorted(set(names or []) - set(components))
    if unknown:
        raise StateError(
            f"the lock has no component {', '.join(unknown)}; it has "
            f"{', '.join(sorted(components))}"
        )
    found = Contents()
    for name, component in components.items():
        if names is None or name in names:
            _component(store, name, component, found)
    return found


def _component(store: Path, name: str, component: Mapping[str, Any], found: Contents) -> None:
    repository, tag = repository_and_tag(component["name"])
    key = "manifest" if component["kind"] == "file" else "digest"
    digest = check_digest(component.get(key), f"{name}: {key} in the lock")
    base = f"repositories/{repository}"
    tags = f"{base}/_manifests/tags/{tag}"
    try:
        live = (store / REGISTRY / tags / "current/link").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise StateError(
            f"{name}: {repository}:{tag} is not in {store}: run `python -m bundle fill {name}`"
        ) from None
    if live != digest:
        raise StateError(
            f"{name}: {repository}:{tag} in {store} is {live}, but the lock says "
            f"{digest}: run `python -m bundle fill {name}`"
        )
    _link(found, f"{tags}/current/link", digest)
    _link(found, f"{tags}/index/{_folder(digest)}/link", digest)
    _manifest(store, name, base, digest, found)
    if component["kind"] == "file" and component.get("blob") not in found.blobs:
        raise StateError(
            f"{name}: the lock says that its file is {component.get('blob')}, but its "
            f"manifest {digest} does not name it: run `python -m bundle fill {name}`"
        )


def _manifest(store: Path, name: str, base: str, digest: str, found: Contents) -> None:
    """Follow a manifest, or an index of manifests, to everything below it."""
    _blob(store, name, digest, None, found)
    _link(found, f"{base}/_manifests/revisions/{_folder(digest)}/link", digest)
    manifest = _read_manifest(store, name, digest)
    if "manifests" in manifest:
        # A store may hold some platforms of an image only.
        below = [
            one["digest"]
            for one in manifest["manifests"]
            if (store / blob_path(one["digest"])).exists()
        ]
        if not below:
            raise StateError(f"{name}: the store holds the index {digest}, and no image of it")
        for child in below:
            _manifest(store, name, base, child, found)
        return
    for part in _parts(manifest):
        part_digest = check_digest(part.get("digest"), f"{name}: a layer of {digest}")
        _blob(store, name, part_digest, part.get("size"), found)
        _link(found, f"{base}/_layers/{_folder(part_digest)}/link", part_digest)


def _read_manifest(store: Path, name: str, digest: str) -> dict[str, Any]:
    data = (store / blob_path(digest)).read_bytes()
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
        raise StateError(
            f"{name}: the manifest {digest} in {store} is corrupt: run "
            f"`python -m bundle fill {name}`"
        )
    manifest: dict[str, Any] = json.loads(data)
    return manifest


def _parts(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if manifest.get("config"):
        yield manifest["config"]
    yield from manifest.get("layers") or []


def _blob(store: Path, name: str, digest: str, size: int | None, found: Contents) -> None:
    try:
        stored = (store / blob_path(digest)).stat().st_size
    except FileNotFoundError:
        raise StateError(
            f"{name}: the store {store} lacks the blob {digest}: run `python -m bundle fill {name}`"
        ) from None
    if size is not None and size != stored:
        raise StateError(
            f"{name}: the blob {digest} has {stored} bytes in {store}, its manifest "
            f"says {size}: run `python -m bundle fill {name}`"
        )
    found.blobs[digest] = stored
    found.owners.setdefault(digest, name)


def _link(found: Contents, path: str, digest: str) -> None:
    found.links[path] = digest


def _folder(digest: str) -> str:
    return digest.replace(":", "/")


def blame(store: Path, bundle: Contents, message: str) -> str:
    """Whose fault it is that the blobs which a message names arrived corrupt, and what to do."""
    told = []
    for digest in bundle.blobs:
        if digest not in message:
            continue
        name = bundle.owners.get(digest, digest)
        whole = f"sha256:{sha256_of(store / blob_path(digest))}" == digest
        told.append(
            f"{name}: the bundle's own copy is whole: run the same again"
            if whole
            else f"{name}: the bundle's own copy is corrupt: run `python -m bundle fill {name}`"
        )
    return "\n".join([message, *dict.fromkeys(told)])


def told_changes(bundle: Contents, seen: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a machine's store lacks, for each component, with sizes and reasons."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for blob in seen["missing"]:
        by_name.setdefault(bundle.owners[blob["digest"]], []).append(blob)
    changes = []
    for name, blobs in by_name.items():
        size = sum(int(blob["size"]) for blob in blobs) / (1 << 20)
        count = "1 blob" if len(blobs) == 1 else f"{len(blobs)} blobs"
        reasons = ", ".join(dict.fromkeys(str(blob["why"]) for blob in blobs))
        changes.append(
            {"what": f"bundle component {name}", "why": f"{count}, {size:.1f} MiB: {reasons}"}
        )
    if seen["staged"]:
        changes.append(
            {
                "what": "registry store",
                "why": f"{len(seen['staged'])} blobs were sent by an earlier run",
            }
        )
    if seen["links"] and not seen["missing"]:
        first = seen["links"][0]
        changes.append(
            {
                "what": "registry store",
                "why": f"{len(seen['links'])} links, the first is {first['path']}: {first['why']}",
            }
        )
    return changes
