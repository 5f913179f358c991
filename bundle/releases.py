# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Official releases: a file or an archive, checked with what the project publishes beside it."""

from __future__ import annotations

import re
import shutil
import tarfile
from pathlib import Path, PurePosixPath

from bundle import download
from bundle.errors import BundleError

HASH = re.compile(r"[0-9a-f]{64}")
ARCHIVES = (".tar.gz", ".tgz")


def fetch(
    url: str, checksum: str, folder: Path, partial: Path, pinned: str, report: download.Report
) -> str:
    """Have what a release consists of in `folder`; return the download's sha256 (hex).

    `partial` is where a download that breaks off waits for the next run; `pinned` the sha256 that
    was recorded when the same address was fetched first, if it was.
    """
    report("reading its checksum")
    published = published_sha256(download.text(checksum), PurePosixPath(url).name, checksum)
    if pinned and published != pinned:
        raise BundleError(
            f"{url}: expected sha256 {pinned}, which was recorded when it was fetched first; found "
            f"{published} in {checksum}. A release doesn't change: find out why this one has. If "
            "it is right, `make clean` forgets what was recorded"
        )
    download.download(url, partial, published, report)
    if url.endswith(ARCHIVES):
        report("unpacking")
        _unpack(url, partial, folder)
        partial.unlink()
    else:
        # Last, so that a kill before it finds the download again.
        shutil.move(partial, folder / PurePosixPath(url).name)
        (folder / PurePosixPath(url).name).chmod(0o755)
    return published


def published_sha256(text: str, name: str, checksum: str) -> str:
    """The sha256 of the file `name` in what a project publishes: alone, or in a list of files."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    for line in lines:
        named = len(line) == 2 and PurePosixPath(line[1].removeprefix("*")).name == name
        alone = len(line) == 1 and len(lines) == 1
        if (named or alone) and HASH.fullmatch(line[0].lower()):
            return line[0].lower()
    raise BundleError(
        f"{checksum}: expected the sha256 of {name}, found {text[:80]!r}; put the address right in "
        "bundle/components.yml"
    )


def _unpack(url: str, archive: Path, folder: Path) -> None:
    """The archive's regular files, under their paths in it."""
    try:
        with tarfile.open(archive) as members:
            for member in members:
                path = PurePosixPath(member.name)
                if not member.isfile() or path.is_absolute() or ".." in path.parts:
                    continue
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                content = members.extractfile(member)
                assert content is not None
                with content, target.open("wb") as out:
                    shutil.copyfileobj(content, out)
                target.chmod(0o755 if member.mode & 0o100 else 0o644)
    except (tarfile.TarError, EOFError) as error:
        raise BundleError(
            f"{url}: expected an archive, but it can't be unpacked: {error}"
        ) from None
