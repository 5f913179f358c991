# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cache outside the checkout: the store, the lock, and what builds leave for the next."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bundle.errors import BundleError
from bundle.store import Store


class Cache:
    """`~/.cache/roost`, or where ROOST_CACHE says."""

    def __init__(self, root: Path | None = None) -> None:
        given = os.environ.get("ROOST_CACHE")
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

    def remove(self) -> None:
        """Remove what is ours; a folder that holds anything else stays."""
        for name in ("store", "sources", "bin", "work", "docker", "logs"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        for name in ("bundle.lock", "fill.lock"):
            (self.root / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.root.rmdir()

    def source_folder(self, name: str, key: str) -> Path:
        """Where a source's results lie; a folder under this name is whole."""
        return self.root / "sources" / name / key[:16]

    @contextlib.contextmanager
    def new_source_folder(self, name: str, key: str) -> Iterator[Path]:
        """A folder to build in; it gets its final name when the block ends without an error."""
        final = self.source_folder(name, key)
        work = final.with_name(f"{final.name}.tmp")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        yield work
        # Older results of the same source are of no more use.
        for old in final.parent.iterdir():
            if old != work:
                shutil.rmtree(old)
        work.replace(final)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """One process fills the bundle at a time; a second waits and then finds it filled."""
        self.prepare()
        with (self.root / "fill.lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("another process is filling the bundle; waiting for it", flush=True)
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield


class Lock:
    """bundle.lock: what came out of which input, by component."""

    def __init__(self, path: Path, backend: str = "build") -> None:
        self.path = path
        self.backend = backend
        self.components: dict[str, dict[str, Any]] = {}
        if path.exists():
            try:
                data = json.loads(path.read_text())
                self.backend = data["backend"]
                self.components = data["components"]
            except (ValueError, KeyError) as error:
                raise BundleError(
                    f"{path}: not a bundle.lock ({error}); remove it and run `make bundle`"
                ) from error

    def put(self, name: str, entry: dict[str, Any]) -> None:
        """Record one component, at once and in one step."""
        self.components[name] = entry
        text = json.dumps(
            {"backend": self.backend, "components": dict(sorted(self.components.items()))}, indent=1
        )
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        temporary.write_text(text + "\n")
        temporary.replace(self.path)

    def get(self, name: str) -> dict[str, Any]:
        if name not in self.components:
            raise BundleError(f"{name}: not in the bundle yet; `make bundle` fills it")
        return self.components[name]
