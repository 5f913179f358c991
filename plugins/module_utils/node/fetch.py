# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError
from ansible_collections.roost.cluster.plugins.module_utils.node.digests import CHUNK
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    Rights,
    flush,
    put_in_place,
    temporary,
)

TRIES = 3


@dataclass(frozen=True)
class Source:
    """Where blobs come from: a registry's address or the root of a store on this machine."""

    registry: str = ""
    store: str = ""
    timeout: float = 30

    def place(self, repository: str, blob: str) -> str:
        if self.store:
            value = blob.partition(":")[2]
            return f"{self.store}/docker/registry/v2/blobs/sha256/{value[:2]}/{value}/data"
        return f"{self.registry.rstrip('/')}/v2/{repository}/blobs/{blob}"

    def chunks(self, repository: str, blob: str) -> Iterator[bytes]:
        place = self.place(repository, blob)
        return _from_file(place) if self.store else _from_registry(place, self.timeout)


class Interrupted(Exception):
    """A transfer that may go through when it is tried again."""


def _from_file(place: str) -> Iterator[bytes]:
    try:
        with Path(place).open("rb") as source:
            while chunk := source.read(CHUNK):
                yield chunk
    except FileNotFoundError:
        raise StateError(
            f"{place}: the store lacks this blob: synchronise the store first"
        ) from None


def _from_registry(address: str, timeout: float) -> Iterator[bytes]:
    # Nodes reach their registry directly; a proxy from the environment would only be in the way.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(address, headers={"Accept-Encoding": "identity"})
    try:
        with opener.open(request, timeout=timeout) as answer:
            expected = answer.headers.get("Content-Length")
            received = 0
            while chunk := answer.read(CHUNK):
                received += len(chunk)
                yield chunk
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise Interrupted(f"{address}: answered {error.code} {error.reason}") from None
        raise StateError(
            f"{address}: answered {error.code} {error.reason}, expected the blob: "
            "synchronise the registry's store with the bundle"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise Interrupted(f"{address}: {reason}: is the registry running, and reachable?") from None
    if expected is not None and received != int(expected):
        raise Interrupted(f"{address}: truncated: {received} of {expected} bytes came")


def install(
    source: Source,
    repository: str,
    blob: str,
    sha256: str,
    path: Path,
    wanted: Rights,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Fetch a gzip-compressed blob, check both digests, put the file in place."""
    if not blob.startswith("sha256:"):
        raise StateError(f"{path}: blob is {blob!r}, expected sha256:…")
    path.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(TRIES):
        try:
            _fetch(source, repository, blob, sha256, path, wanted)
            return
        except Interrupted as error:
            if attempt == TRIES - 1:
                raise StateError(f"{path}: not installed after {TRIES} tries: {error}") from None
            pause(1 + attempt)


def _fetch(
    source: Source, repository: str, blob: str, sha256: str, path: Path, wanted: Rights
) -> None:
    new = temporary(path)
    with suppress(FileNotFoundError):
        new.unlink()
    try:
        packed, unpacked = hashlib.sha256(), hashlib.sha256()
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as target:
            chunks = _noted(source.chunks(repository, blob), packed)
            for data in _decompressed(chunks, f"{path}: {blob}"):
                unpacked.update(data)
                target.write(data)
            flush(target)
        _compare(f"{path}: blob {blob}", blob[len("sha256:") :], packed.hexdigest())
        _compare(f"{path}: file in blob {blob}", sha256, unpacked.hexdigest())
        wanted.give(new)
    except BaseException:
        with suppress(FileNotFoundError):
            new.unlink()
        raise
    put_in_place(new, path)


def _noted(chunks: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _decompressed(chunks: Iterator[bytes], what: str) -> Iterator[bytes]:
    """Gzip, also of several members, in pieces of bounded size."""
    gzip = zlib.decompressobj(wbits=31)
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if gzip.eof:
                    gzip = zlib.decompressobj(wbits=31)
                yield gzip.decompress(rest, 4 * CHUNK)
                rest = gzip.unused_data if gzip.eof else gzip.unconsumed_tail
    except zlib.error as error:
        raise StateError(f"{what} is corrupt, nothing installed: {error}") from None
    if not gzip.eof:
        raise Interrupted(f"{what}: the compressed data ends too soon")


def _compare(what: str, expected: str, found: str) -> None:
    if expected != found:
        raise StateError(
            f"{what} is corrupt, nothing installed: expected sha256 {expected}, got {found}: "
            "fill the bundle again and synchronise the registry's store"
        )
