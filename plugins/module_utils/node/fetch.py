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
from ansible_collections.roost.cluster.plugins.module_utils.node.full_disk import room_for
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    Rights,
    put_in_place,
    temporary,
)

TRIES = 3
REPAIR = (
    "playbooks/registry.yml looks at each blob and sends again what is missing or corrupt; run it, "
    "and then the same again"
)


@dataclass(frozen=True)
class Source:
    """Where blobs come from: a registry's address or the root of a store on this machine."""

    registry: str = ""
    store: str = ""
    timeout: float = 10

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


class Unusable(Exception):
    """What came, or is said to be there, is not the blob; trying again changes nothing."""


def _from_file(place: str) -> Iterator[bytes]:
    try:
        with Path(place).open("rb") as source:
            while chunk := source.read(CHUNK):
                yield chunk
    except FileNotFoundError:
        raise Unusable(f"the store lacks it, expected at {place}: {REPAIR}") from None


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
        raise Unusable(
            f"{address} answered {error.code} {error.reason}, expected the blob: {REPAIR}"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise Interrupted(
            f"{address}: {reason}; expected an answer: look at `systemctl status roost-registry` "
            "on the first control-plane machine, and at the network between it and this one"
        ) from None
    if expected is not None and received != int(expected):
        raise Interrupted(
            f"{address}: truncated: found {received} bytes, expected {expected}; look at "
            "`journalctl -u roost-registry` on the first control-plane machine"
        )


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
    what = f"{path}: {repository} (blob {blob}): nothing was installed, what was there is kept"
    path.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(TRIES):
        try:
            with room_for(path):
                _fetch(source, repository, blob, sha256, path, wanted)
            return
        except Unusable as error:
            raise StateError(f"{what}: {error}") from None
        except Interrupted as error:
            if attempt == TRIES - 1:
                raise StateError(f"{what}: tried {TRIES} times: {error}") from None
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
            for data in _decompressed(chunks):
                unpacked.update(data)
                target.write(data)
            # Not flushed: what a loss of power leaves is found by its digest and fetched again.
        _compare("it", blob[len("sha256:") :], packed.hexdigest())
        _compare("the file in it", sha256, unpacked.hexdigest())
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


def _decompressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
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
        raise Unusable(f"it is corrupt, expected gzip: {error}: {REPAIR}") from None
    if not gzip.eof:
        raise Unusable(f"it is corrupt: its compressed data end too soon: {REPAIR}")


def _compare(what: str, expected: str, found: str) -> None:
    if expected != found:
        raise Unusable(f"{what} is corrupt: expected sha256 {expected}, found {found}: {REPAIR}")
