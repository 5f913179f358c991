# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cache outside the checkout: the store, the lock, and what builds leave for the next."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from bundle.disk import Need
from bundle.errors import BundleError
from bundle.store import Store

ROOT_VARIABLE = "ROOST_CACHE"


def _discard(path: Path) -> None:
    """Remove a file or a folder, of which a kill leaves nothing under its own name."""
    if not path.is_dir():
        path.unlink()
        return
    # By a rename alone, which works on a full disk as well.
    gone = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    path.replace(gone)
    shutil.rmtree(gone, ignore_errors=True)


class Cache:
    """`~/.cache/roost`, or where ROOST_CACHE says."""

    def __init__(self, root: Path | None = None) -> None:
        given = os.environ.get(ROOT_VARIABLE)
        self.root = root or (Path(given) if given else Path.home() / ".cache" / "roost")
        if not self.root.is_absolute():
            raise BundleError(f"ROOST_CACHE: {self.root} is relative; expected an absolute path")
        self.store = Store(self.root / "store")
        self.lock_file = self.root / "bundle.lock"
        self.logs = self.root / "logs"

    def prepare(self) -> None:
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BundleError(
                f"{self.root}: can't be written ({error.strerror}); set ROOST_CACHE to a folder "
                "that can"
            ) from error

    @property
    def work(self) -> Path:
        """A folder for what is needed only while one process works."""
        folder = self.root / "work"
        folder.mkdir(exist_ok=True)
        return folder

    def remove(self) -> None:
        """Remove what is ours; a folder that holds anything else stays."""
        self.keep_only("sources", ())
        for name in ("store", "sources", "downloads", "bin", "work", "docker", "logs"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        for path in self.root.glob("*.lock"):
            path.unlink()
        with contextlib.suppress(OSError):
            self.root.rmdir()

    def tidy(self) -> None:
        """Remove what runs that were killed have left, but for downloads to go on from."""
        shutil.rmtree(self.root / "work", ignore_errors=True)
        for path in self.root.glob("bundle.lock.*"):
            path.unlink()
        for pattern in ("*.tmp", "*/*.tmp"):
            for path in (self.root / "sources").glob(pattern):
                shutil.rmtree(path, ignore_errors=True)
        self.store.tidy()

    def keep_only(self, name: str, wanted: Collection[str]) -> None:
        """Remove all else from one of the cache's folders; the folder too, if it is empty then."""
        folder = self.root / name
        for path in list(folder.glob("*")):
            if path.name not in wanted:
                _discard(path)
        with contextlib.suppress(OSError):
            folder.rmdir()

    def need(self, size: int) -> Need:
        """So many bytes in the cache."""
        return Need(self.root, size, ROOT_VARIABLE)

    def log(self, name: str) -> Path:
        """A new log for something that is being done."""
        log = self.logs / f"{name}.log"
        log.unlink(missing_ok=True)
        return log

    def source_folder(self, name: str, key: str) -> Path:
        """Where a source's results lie; a folder under this name is whole."""
        return self.root / "sources" / name / key[:16]

    @contextlib.contextmanager
    def new_source_folder(self, name: str, key: str) -> Iterator[Path]:
        """A folder to build in; it gets its final name when the block ends without an error."""
        final = self.source_folder(name, key)
        final.parent.mkdir(parents=True, exist_ok=True)
        # Each time another name: a compiler outlives a run that was killed, and goes on writing.
        work = Path(tempfile.mkdtemp(prefix=f"{final.name}.", suffix=".tmp", dir=final.parent))
        yield work
        # Older results of the same source are of no more use.
        for old in list(final.parent.iterdir()):
            if old != work:
                _discard(old)
        work.replace(final)

    @contextlib.contextmanager
    def exclusive(
        self, what: str = "fill", busy: str = "another process is filling the bundle"
    ) -> Iterator[None]:
        """One process at a time; a second waits and then finds what the first has done."""
        self.prepare()
        with (self.root / f"{what}.lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"{busy}; waiting for it", file=sys.stderr, flush=True)
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    @staticmethod
    def write(path: Path, text: str) -> None:
        """Replace a small file in one step."""
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(text)
        temporary.replace(path)


class Lock:
    """bundle.lock: which back end filled the bundle, and what came out of which input, by
    component."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.backend = ""
        self.components: dict[str, dict[str, Any]] = {}
        # The digest that each official release had when it was fetched first, by its address.
        self.releases: dict[str, str] = {}
        if path.exists():
            try:
                data = json.loads(path.read_text())
                self.backend = data["backend"]
                self.components = data["components"]
                self.releases = data.get("releases", {})
            except (ValueError, KeyError, TypeError) as error:
                raise BundleError(
                    f"{path}: not a bundle.lock ({error}); remove it and run `make bundle`"
                ) from error

    def put(
        self, name: str, entry: dict[str, Any], releases: Mapping[str, str] | None = None
    ) -> None:
        """Record one component and the releases it is from, at once and in one step."""
        self.components[name] = entry
        self.releases.update(releases or {})
        self.save()

    def save(self) -> None:
        data = {
            "backend": self.backend,
            "components": dict(sorted(self.components.items())),
            "releases": dict(sorted(self.releases.items())),
        }
        Cache.write(self.path, json.dumps(data, indent=1) + "\n")

    def get(self, name: str) -> dict[str, Any]:
        if name not in self.components:
            raise BundleError(f"{name}: not in the bundle yet; `make bundle` fills it")
        return self.components[name]
