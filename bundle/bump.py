# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks for newer releases of the bundle's sources, and raises them in the files that name them.

What a source may be raised to stands beside it in components.yml, under `bump`.
"""

from __future__ import annotations

import difflib
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from bundle import go_module, listing
from bundle.components import ARCHITECTURES, LIST, REPOSITORY
from bundle.errors import BundleError
from bundle.run import output
from bundle.versions import newest

# Recipes of sources that have releases to be looked for.
LOOKED_FOR = ("go", "wheel")
# What a wheel calls an architecture, and the C libraries that Debian 12 can stand in for.
MACHINES = {known: machine for machine, known in ARCHITECTURES.items()}
GLIBC_MINORS = range(17, 37)


@dataclass(frozen=True)
class Finding:
    """What is known of one source; without `target` it stays, and `reason` says why."""

    name: str
    version: str
    target: str | None
    reason: str = ""

    def __str__(self) -> str:
        told = f"{self.version} → {self.target}" if self.target else self.version
        return f"{self.name:20} {told:22} {self.reason}".rstrip()


def look(name: str, spec: dict[str, Any]) -> Finding:
    """Ask the ordinary clients for the releases of one source."""
    version, rule = str(spec["version"]), spec.get("bump", {})
    if "hold" in rule:
        return Finding(name, version, None, f"held: {rule['hold']}")
    if not any(recipe in spec for recipe in LOOKED_FOR):
        return Finding(name, version, None, "has no releases of its own")
    within = str(rule.get("within", ""))
    found = _releases(spec)
    target = newest(found, version, within)
    beyond = newest(found, target or version)
    reason = f"there is {beyond}; the list stays within {within}" if beyond and within else ""
    return Finding(name, version, target, reason or ("" if target else "is the newest"))


def _releases(spec: dict[str, Any]) -> list[str]:
    if "wheel" in spec:
        return _wheel_versions(spec["wheel"]["name"])
    folder = REPOSITORY / spec["go"]["module"]
    return go_module.versions(folder, go_module.mains(folder))


def _wheel_versions(name: str) -> list[str]:
    told = output([sys.executable, "-m", "pip", "index", "versions", name])
    for line in told.splitlines():
        if line.startswith("Available versions:"):
            return [version.strip() for version in line.partition(":")[2].split(",")]
    raise BundleError(
        f"{name}: expected `Available versions:` from pip index, found {told[:200]!r}"
    )


def raise_version(finding: Finding, spec: dict[str, Any]) -> None:
    """Write the target into every file that names the version; all of them, or none."""
    assert finding.target is not None
    paths = files_of(spec)
    before = {path: path.read_bytes() for path in paths}
    try:
        text = listing.raised(LIST.read_text(), finding.name, finding.version, finding.target)
        if "wheel" in spec:
            for here, old in spec["wheel"]["sha256"].items():
                new = _wheel_hash(spec["wheel"], here, finding.target)
                text = listing.with_hash(text, finding.name, (here, old, new))
        else:
            go_module.raise_mains(REPOSITORY / spec["go"]["module"], finding.target)
        LIST.write_text(text)
    except BaseException:
        for path, content in before.items():
            path.write_bytes(content)
        raise


def files_of(spec: dict[str, Any]) -> list[Path]:
    """The files that a raise of this source changes."""
    if "go" not in spec:
        return [LIST]
    folder = REPOSITORY / spec["go"]["module"]
    return [LIST, folder / "go.mod", folder / "go.sum"]


def _wheel_hash(wheel: dict[str, Any], architecture: str, version: str) -> str:
    """The sha256 of the wheel that Debian 12 on this architecture would get."""
    machine = MACHINES[architecture]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--python-version", "3.11", "--dest", folder]
        for minor in GLIBC_MINORS:
            command += ["--platform", f"manylinux_2_{minor}_{machine}"]
        output([*command, f"{wheel['name']}=={version}"])
        (path,) = Path(folder).glob("*.whl")
        return sha256(path.read_bytes()).hexdigest()


def difference(before: dict[Path, str]) -> str:
    """What has changed in these files since; go.sum, which nobody reads, only in numbers."""
    parts = []
    for path, old in before.items():
        name = str(path.relative_to(REPOSITORY))
        was, now = (text.splitlines(keepends=True) for text in (old, path.read_text()))
        lines = list(difflib.unified_diff(was, now, f"a/{name}", f"b/{name}", n=1))
        if path.name == "go.sum" and lines:
            added = sum(line.startswith("+") for line in lines) - 1
            removed = sum(line.startswith("-") for line in lines) - 1
            lines = [f"{name}: {added} lines added, {removed} removed\n"]
        parts += lines
    return "".join(parts)


def bump(names: Iterable[str], check: bool) -> int:
    """Look for newer releases and, unless it is only a check, raise what may be raised."""
    sources = yaml.safe_load(LIST.read_text())["sources"]
    wanted = list(names) or list(sources)
    unknown = [name for name in wanted if name not in sources]
    if unknown:
        raise BundleError(f"{', '.join(unknown)}: no such source; known are {', '.join(sources)}")
    before: dict[Path, str] = {}
    for name in wanted:
        finding = look(name, sources[name])
        print(finding, flush=True)
        if finding.target and not check:
            for path in files_of(sources[name]):
                before.setdefault(path, path.read_text())
            raise_version(finding, sources[name])
    if before:
        print(f"\n{difference(before)}\nbundle: `make bundle` builds it, then `make test`")
    return 0
