# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.node.absent import remove
from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError
from ansible_collections.roost.cluster.plugins.module_utils.node.digests import (
    DigestCache,
    sha256_of,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.machine import free_mb
from ansible_collections.roost.cluster.plugins.module_utils.node.store_layout import (
    REGISTRY,
    blob_path,
    check_digest,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    flush_directory,
    temporary,
)

STATE = "verified.json"
PARALLEL = 4
SPARE_MB = 100


@dataclass
class StoreLook:
    """What a store lacks: blobs and links, each with a reason."""

    missing: list[dict[str, str | int]] = field(default_factory=list)
    staged: list[str] = field(default_factory=list)  # missing, but already sent and whole
    links: list[dict[str, str]] = field(default_factory=list)


def look(
    root: Path, staging: Path, blobs: Mapping[str, int], links: Mapping[str, str], check: bool
) -> StoreLook:
    """Compare a store with what it shall hold. Without `check`, useless staged data is removed."""
    seen = StoreLook()
    cache = DigestCache(root / STATE)
    for digest, size in blobs.items():
        check_digest(digest, "a blob")
        reason = _blob_reason(root / blob_path(digest), digest, size, cache)
        if not reason:
            continue
        if _is_whole(staging / digest[7:], digest, size):
            seen.staged.append(digest)
        else:
            seen.missing.append({"digest": digest, "size": size, "why": reason})
    for path, content in links.items():
        reason = _link_reason(link_place(root, path), content)
        if reason:
            seen.links.append({"path": path, "why": reason})
    if not check:
        if root.is_dir():
            cache.save()
        _clear(staging, keep={digest[7:] for digest in seen.staged})
        if not seen.missing and not seen.staged and staging.is_dir():
            staging.rmdir()
    return seen


def _blob_reason(path: Path, digest: str, size: int, cache: DigestCache) -> str:
    try:
        found = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    if found != size:
        return f"{found} bytes, expected {size}"
    sha256 = cache.digest(path)
    return "" if f"sha256:{sha256}" == digest else f"corrupt: its sha256 is {sha256}"


def _is_whole(path: Path, digest: str, size: int) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return (
        stat.S_ISREG(found.st_mode)
        and found.st_size == size
        and f"sha256:{sha256_of(path)}" == digest
    )


def _clear(staging: Path, keep: set[str]) -> None:
    if staging.is_dir():
        for entry in staging.iterdir():
            if entry.name not in keep:
                remove(entry)


def link_place(root: Path, path: str) -> Path:
    parts = path.split("/")
    if parts[0] != "repositories" or parts[-1] != "link" or ".." in parts or "" in parts:
        raise StateError(f"{path!r} is not a link file of a registry's store")
    return root / REGISTRY / path


def _link_reason(path: Path, content: str) -> str:
    try:
        found = path.read_text(encoding="ascii", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    return "" if found == content else f"{found or 'empty'}, expected {content}"


def require_space(root: Path, needed: int) -> None:
    free = free_mb(root)
    wanted = needed // (1 << 20) + SPARE_MB
    if free < wanted:
        raise StateError(
            f"{root}: {free} MiB are free, {wanted} MiB are needed for the bundle's "
            f"missing blobs: free {wanted - free} MiB"
        )


def make_staging(staging: Path, uid: int, gid: int) -> None:
    """The folder that the SSH user streams into, which is nobody else's."""
    staging.parent.mkdir(parents=True, exist_ok=True)
    if staging.is_symlink():
        raise StateError(f"{staging}: is a link, expected a directory: remove it")
    staging.mkdir(mode=0o700, exist_ok=True)
    os.chown(staging, uid, gid)
    staging.chmod(0o700)


def commit(
    root: Path, staging: Path, blobs: Mapping[str, int], links: Mapping[str, str]
) -> tuple[int, int]:
    """Verify what was staged and put it in place; links follow, tags last.

    Returns how many blobs and links were written.
    """
    if staging.is_dir():
        os.chown(staging, os.geteuid(), os.getegid())  # nobody else writes there any more
    cache = DigestCache(root / STATE)
    waiting = [
        digest
        for digest, size in blobs.items()
        if (staging / digest[7:]).exists()
        or _blob_reason(root / blob_path(digest), digest, size, cache)
    ]
    with ThreadPoolExecutor(PARALLEL) as pool:
        placing = [pool.submit(_place, root, staging, digest, cache) for digest in waiting]
    cache.save()
    failures = [str(error) for error in (future.exception() for future in placing) if error]
    if failures:
        raise StateError("\n".join(failures))
    written = _write_links(root, links)
    if staging.is_dir():
        shutil.rmtree(staging)
    return len(waiting), written


def _place(root: Path, staging: Path, digest: str, cache: DigestCache) -> None:
    source, target = staging / digest[7:], root / blob_path(digest)
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise StateError(
            f"the blob {digest} did not arrive in {staging}: {error.strerror}"
        ) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise StateError(f"{source}: expected a file, found something else")
        os.fchown(handle, os.geteuid(), os.getegid())
        os.fchmod(handle, 0o644)
        # Not flushed: what a loss of power leaves is found by its digest and sent again.
    finally:
        os.close(handle)
    sha256 = sha256_of(source)
    if f"sha256:{sha256}" != digest:
        source.unlink()
        raise StateError(f"the blob {digest} arrived corrupt, its sha256 is {sha256}")
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    flush_directory(target.parent)
    cache.record(target, sha256)


def _write_links(root: Path, links: Mapping[str, str]) -> int:
    """Write the links that differ. A tag comes last, so it never leads to what isn't there."""
    written = 0
    for path in sorted(links, key=_rank):
        place = link_place(root, path)
        if not _link_reason(place, links[path]):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        new = temporary(place)
        with suppress(FileNotFoundError):
            new.unlink()
        new.write_text(check_digest(links[path], path), encoding="ascii")
        new.replace(place)
        written += 1
    return written


def _rank(path: str) -> tuple[int, str]:
    order: Sequence[str] = ("/_layers/", "/revisions/", "/index/", "/current/")
    return next((place for place, part in enumerate(order) if part in path), 0), path
