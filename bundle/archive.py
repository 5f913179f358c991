# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carries a bundle to another machine: one tar, of which every byte is checked on both sides.

Its first member says what is inside, so that nothing has to be read twice; then come the blobs,
packed as they are in the store.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

from bundle import contents
from bundle.backend import BACKENDS
from bundle.cache import Cache, Lock
from bundle.components import architecture
from bundle.disk import Need, require_free
from bundle.errors import BundleError
from bundle.names import repository_of
from bundle.progress import Bytes
from bundle.store import WrongContent

FIRST = "roost-bundle.json"
FORMAT = 1
FIRST_BYTES = 16 << 20
# What a tar adds to each member, at most, and at its end.
OVERHEAD = 2 * tarfile.BLOCKSIZE
# What names in an archive may be: they become paths in the store.
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
HEX = re.compile(r"[0-9a-f]{64}")
REPOSITORY = re.compile(r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass
class Contents:
    """What an archive says of itself: the lock, and of each blob its size and whose it is."""

    format: int
    architecture: str
    backend: str
    components: dict[str, dict[str, Any]]
    releases: dict[str, str]
    blobs: dict[str, int]
    owners: dict[str, str]


class Checked:
    """A stream whose digest is known when it has been read."""

    def __init__(self, stream: IO[bytes], progress: Bytes) -> None:
        self._stream = stream
        self._progress = progress
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self._hash.update(chunk)
        self._progress.add(len(chunk))
        return chunk

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


# -- Export ---------------------------------------------------------------------------------


def export(cache: Cache, target: Path) -> Contents:
    """Write the whole bundle to one file, which gets its name when it is whole."""
    lock = Lock(cache.lock_file)
    if contents.status(cache)[1]:
        raise BundleError(f"{cache.root}: the bundle isn't filled yet; run `make bundle` first")
    told = _described(cache, lock)
    if target.is_dir() or not target.parent.is_dir():
        raise BundleError(f"{target}: expected the path of a file in a folder that exists")
    size = sum(told.blobs.values()) + OVERHEAD * (len(told.blobs) + 2)
    require_free([Need(target.parent, size + FIRST_BYTES, "FILE")], "export the bundle")
    temporary = target.with_name(f".{target.name}.unfinished")
    with cache.exclusive("export", "another process is exporting the bundle"):
        try:
            with temporary.open("wb") as out, Bytes("export", sum(told.blobs.values())) as progress:
                _write(cache, told, out, progress)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    return told


def _described(cache: Cache, lock: Lock) -> Contents:
    blobs: dict[str, int] = {}
    owners: dict[str, str] = {}
    for entry in lock.components.values():
        digest = contents.digest_of(entry)
        if not cache.store.complete(digest):
            raise BundleError(
                f"{entry['name']}: not whole in the bundle; add it again, or run `make bundle`"
            )
        for blob, size in [(digest, cache.store.size(digest)), *cache.store.references(digest)]:
            blobs[blob] = size
            owners.setdefault(blob, entry["name"])
    return Contents(
        FORMAT, architecture(), lock.backend, lock.components, lock.releases, blobs, owners
    )


def _write(cache: Cache, told: Contents, out: IO[bytes], progress: Bytes) -> None:
    first = json.dumps(asdict(told)).encode()
    with tarfile.open(fileobj=out, mode="w|") as archive:
        archive.addfile(_member(FIRST, len(first)), io.BytesIO(first))
        for blob, size in told.blobs.items():
            with cache.store.blob_path(blob).open("rb") as stream:
                read = Checked(stream, progress)
                archive.addfile(_member(_path(blob), size), cast("IO[bytes]", read))
            if read.digest != blob:
                raise BundleError(
                    f"{told.owners[blob]}: blob {blob} of the bundle is corrupt, its content has "
                    f"{read.digest}; nothing was exported. Run `make bundle`, which makes it again"
                )


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member


def _path(blob: str) -> str:
    return f"blobs/{blob.replace(':', '/')}"


# -- Import ---------------------------------------------------------------------------------


def take(cache: Cache, source: Path) -> Contents:
    """Have everything that an archive holds in the bundle; the lock names it when all is there."""
    if not source.is_file():
        raise BundleError(f"{source}: expected a file that `make bundle-export` has written")
    with cache.exclusive(), source.open("rb") as stream, _named(source):
        cache.tidy()
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            members = iter(archive)
            told = _first(source, archive, members)
            lock = Lock(cache.lock_file)
            _check_releases(source, told, lock)
            require_free([cache.need(source.stat().st_size)], "import the bundle")
            with Bytes("import", sum(told.blobs.values())) as progress:
                missing = _take_blobs(cache, source, told, archive, members, progress)
        if missing:
            blob = min(missing)
            raise BundleError(
                f"{source}: truncated: {len(missing)} of {len(told.blobs)} blobs are not in it, "
                f"among them {blob} of {told.owners[blob]}; copy it again"
            )
        _check_manifests(cache, source, told)
        _record(cache, told, lock)
        return told


@contextmanager
def _named(source: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError) as error:
        raise BundleError(
            f"{source}: expected a whole file of `make bundle-export`, but it can't be read on: "
            f"{error}; copy it again"
        ) from None


def _first(source: Path, archive: tarfile.TarFile, members: Iterator[tarfile.TarInfo]) -> Contents:
    member = next(members, None)
    if member is None or member.name != FIRST or not 0 < member.size <= FIRST_BYTES:
        found = member.name if member else "nothing"
        raise BundleError(
            f"{source}: expected a file that `make bundle-export` has written, which begins with "
            f"{FIRST}; found {found!r}"
        )
    content = archive.extractfile(member)
    assert content is not None
    try:
        told = json.loads(content.read())
        if told.get("format") != FORMAT:
            raise BundleError(
                f"{source}: has format {told.get('format')}, expected {FORMAT}; export it with the "
                "same version of Roost"
            )
        told = Contents(**told)
        wrong = set(told.owners) != set(told.blobs) or told.backend not in BACKENDS
        wrong = wrong or not all(DIGEST.fullmatch(blob) for blob in told.blobs)
        for entry in told.components.values():
            repository, tag = repository_of(entry["name"])
            wrong = wrong or not (REPOSITORY.fullmatch(repository) and TAG.fullmatch(tag))
            wrong = wrong or contents.digest_of(entry) not in told.blobs
            wrong = wrong or not _is_entry(entry, told)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{source}: {FIRST} in it can't be read: {error!r}") from None
    if wrong:
        raise BundleError(f"{source}: {FIRST} in it contradicts itself; export it again")
    if told.architecture != architecture():
        raise BundleError(
            f"{source}: is a bundle for {told.architecture}, this machine is {architecture()}; "
            "export one on a machine of this architecture"
        )
    return told


def _is_entry(entry: dict[str, Any], told: Contents) -> bool:
    """Whether it has what entries of the lock have: a file's names where it is unpacked."""
    whole = isinstance(entry["key"], str) and isinstance(entry["size"], int)
    if entry["kind"] == "file":
        return whole and entry["blob"] in told.blobs and bool(HEX.fullmatch(entry["sha256"]))
    return whole and entry["kind"] == "image"


def _check_releases(source: Path, told: Contents, lock: Lock) -> None:
    for release, digest in told.releases.items():
        if lock.releases.get(release, digest) != digest:
            raise BundleError(
                f"{source}: {release} has {digest} in it, expected {lock.releases[release]}, which "
                "was recorded here when it was fetched first; find out which of both is right. "
                "`make clean` forgets what was recorded here"
            )


def _take_blobs(
    cache: Cache,
    source: Path,
    told: Contents,
    archive: tarfile.TarFile,
    members: Iterator[tarfile.TarInfo],
    progress: Bytes,
) -> set[str]:
    """Store each blob if it is what its name says; return those that the archive lacks."""
    paths = {_path(blob): blob for blob in told.blobs}
    missing = set(told.blobs)
    for member in members:
        blob = paths.get(member.name, "")
        if blob not in missing or not member.isfile():
            raise BundleError(f"{source}: {member.name!r} doesn't belong into it; export it again")
        content = archive.extractfile(member)
        assert content is not None
        try:
            cache.store.add_stream(cast("IO[bytes]", Checked(content, progress)), blob)
        except WrongContent as error:
            raise BundleError(
                f"{source}: corrupt: {told.owners[blob]}: {error}; the bundle was left as it was. "
                "Copy it again"
            ) from None
        missing.discard(blob)
    return missing


def _check_manifests(cache: Cache, source: Path, told: Contents) -> None:
    """An error unless all that the components consist of was in the archive."""
    for entry in told.components.values():
        try:
            parts = [blob for blob, _ in cache.store.references(contents.digest_of(entry))]
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{source}: {entry['name']} has no manifest: {error!r}") from None
        for blob in parts:
            if blob not in told.blobs:
                raise BundleError(f"{source}: {entry['name']} lacks {blob}; export it again")


def _record(cache: Cache, told: Contents, lock: Lock) -> None:
    """Name what was imported; one's own images that were here already stay."""
    taken = {repository_of(entry["name"]) for entry in told.components.values()}
    own = {
        name: entry
        for name, entry in lock.components.items()
        if entry["key"] == contents.OWN and repository_of(entry["name"]) not in taken
    }
    for entry in told.components.values():
        cache.store.link(*repository_of(entry["name"]), contents.digest_of(entry))
    lock.backend = told.backend
    lock.components = {**own, **told.components}
    lock.releases.update(told.releases)
    lock.save()
