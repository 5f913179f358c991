# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Downloads: resumed where they broke off, and nothing but what was expected comes of them."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from bundle.errors import BundleError

CHUNK = 1 << 18
TRIES = 4
# A connection on which nothing has come for so long is as good as dead.
STALL_SECONDS = 30.0
PAUSE_SECONDS = 1.0
TEXT_BYTES = 1 << 20

Report = Callable[[str], None]


class Interrupted(Exception):
    """A transfer that may go through when it is tried again."""


def download(url: str, target: Path, sha256: str, report: Report) -> None:
    """Have the file with this sha256 (hex) at `target`, going on from what is there of it.

    Raises BundleError; what `target` then holds is either a beginning to go on from, or nothing.
    """
    resumed = True
    while resumed:
        resumed = target.exists()
        _again(url, lambda: _append(url, target, report))
        with target.open("rb") as handle:
            found = hashlib.file_digest(handle, "sha256").hexdigest()
        if found == sha256:
            return
        # What an earlier run has left may have been wrong; what came whole is not asked for again.
        target.unlink()
    raise BundleError(
        f"{url}: corrupt: expected sha256 {sha256}, found {found}; nothing was kept of it. Run the "
        "same again; if it stays so, what is offered there is not what was released"
    )


def text(url: str) -> str:
    """A small text file."""
    chunks: list[bytes] = []

    def read() -> None:
        chunks.clear()
        for chunk in _chunks(url, 0)[1]:
            chunks.append(chunk)
            if sum(map(len, chunks)) > TEXT_BYTES:
                raise BundleError(f"{url}: expected a small text file, found more than 1 MiB")

    _again(url, read)
    return b"".join(chunks).decode(errors="replace")


def _again(url: str, work: Callable[[], None]) -> None:
    """Do `work` until it isn't interrupted, a few times at most."""
    for attempt in range(1, TRIES + 1):
        try:
            return work()
        except Interrupted as error:
            if attempt == TRIES:
                raise BundleError(
                    f"{url}: {error}, {TRIES} times; run the same again, it goes on from what came"
                ) from None
        time.sleep(PAUSE_SECONDS * attempt)
    return None


def _append(url: str, target: Path, report: Report) -> None:
    have = target.stat().st_size if target.exists() else 0
    start, chunks = _chunks(url, have)
    with target.open("ab" if start else "wb") as out:
        size = start
        for chunk in chunks:
            out.write(chunk)
            size += len(chunk)
            report(f"{size / 1e6:.1f} MB")


def _chunks(url: str, have: int) -> tuple[int, Iterator[bytes]]:
    """Where in the file the answer begins (0 or `have`), and the rest of the file."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "roost"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        request = urllib.request.Request(url, headers=headers)
        answer = urllib.request.urlopen(request, timeout=STALL_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # all of it is there, or too much; its checksum will tell
            return have, iter(())
        if error.code >= 500 or error.code == 429:
            raise Interrupted(f"answered {error.code} {error.reason}") from None
        raise BundleError(
            f"{url}: answered {error.code} {error.reason}, expected the release: look whether it "
            "exists, and put version or address right in bundle/components.yml"
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _interruption(error) from None
    expected = answer.headers.get("Content-Length")
    return have if answer.status == 206 else 0, _read(answer, expected)


def _read(answer: http.client.HTTPResponse, expected: str | None) -> Iterator[bytes]:
    received = 0
    with answer:
        while True:
            try:
                chunk = answer.read(CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise _interruption(error) from None
            if not chunk:
                break
            received += len(chunk)
            yield chunk
    if expected is not None and received != int(expected):
        raise Interrupted(f"broke off: found {received} bytes, expected {expected}")


def _interruption(error: Exception) -> Interrupted:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, TimeoutError):
        return Interrupted(f"nothing came for {STALL_SECONDS:g} s")
    return Interrupted(f"the connection failed ({reason})")
