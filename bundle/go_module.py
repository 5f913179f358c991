# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a source's go.mod asks for, read and changed by the go command."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from bundle.errors import BundleError
from bundle.run import need

# go.sum may be completed, but no other toolchain fetched.
ENVIRONMENT = {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def go(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [need("go"), *arguments],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BundleError(
            f"`go {' '.join(arguments)}` in bundle/go/{folder.name} ended with {done.returncode}; "
            f"nothing of it was changed:\n{done.stderr[-1500:]}"
        )
    return done.stdout


def described(folder: Path) -> dict[str, Any]:
    """go.mod as `go mod edit -json` gives it."""
    found: dict[str, Any] = json.loads(go(folder, "mod", "edit", "-json"))
    return found


def mains(folder: Path) -> dict[str, str]:
    """The modules that hold the commands which are built, with their versions."""
    module = described(folder)
    required = {entry["Path"]: entry["Version"] for entry in module["Require"]}
    found = {}
    for tool in module["Tool"]:
        holders = [path for path in required if f"{tool['Path']}/".startswith(f"{path}/")]
        if not holders:
            raise BundleError(f"bundle/go/{folder.name}/go.mod: {tool['Path']} is not required")
        path = max(holders, key=len)
        found[path] = required[path]
    return found


def versions(folder: Path, modules: dict[str, str]) -> list[str]:
    """Versions that all of these modules have."""
    lists = [
        set(json.loads(go(folder, "list", "-m", "-versions", "-json", path)).get("Versions", []))
        for path in modules
    ]
    return sorted(set.intersection(*lists))


def raise_mains(folder: Path, version: str) -> None:
    """Require the main modules in this version, and let go complete go.mod and go.sum."""
    tagged = f"v{version.removeprefix('v')}"
    found = mains(folder)
    edits = [f"-require={path}@{tagged}" for path in found]
    edits += _staged(folder, next(iter(found.values())), tagged)
    go(folder, "mod", "edit", *edits)
    go(folder, "mod", "tidy")


def _staged(folder: Path, old: str, new: str) -> list[str]:
    """Edits for what is replaced by its release of the same day: Kubernetes' staging modules,
    whose v0.36.3 belongs to v1.36.3."""
    before, after = (f"v0.{version.partition('.')[2]}" for version in (old, new))
    module = described(folder)
    replaced = [
        entry["Old"]["Path"]
        for entry in module["Replace"] or []
        if entry["New"].get("Version") == before
    ]
    required = {entry["Path"]: entry["Version"] for entry in module["Require"]}
    return [
        *(f"-replace={path}={path}@{after}" for path in replaced),
        # Only for whoever reads go.mod: the replacement is what counts.
        *(f"-require={path}@{after}" for path in replaced if required.get(path) == before),
    ]
