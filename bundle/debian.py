# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Root file systems of Debian packages, as layers of which each holds what it adds."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from bundle.components import architecture
from bundle.download import Report
from bundle.errors import BundleError
from bundle.run import need, output, run

SCHEMES = ("http", "https")


def root_file_systems(
    suite: str, layers: dict[str, list[str]], folder: Path, log: Path, report: Report
) -> None:
    """Write NAME.tar for each layer: the first is a root file system with its packages, each
    further one what its packages add to all layers before it."""
    listed: list[str] = []
    with tempfile.TemporaryDirectory(dir=folder) as work:
        below: dict[str, Any] = {}
        for name, packages in layers.items():
            listed += packages
            report(f"{name}: {len(listed)} packages and what they need")
            whole = Path(work) / f"{name}.tar"
            _bootstrap(suite, listed, whole, log, report)
            below = write_layer(whole, below, folder / f"{name}.tar")


def _bootstrap(suite: str, packages: list[str], target: Path, log: Path, report: Report) -> None:
    """From the mirrors that this machine itself uses."""
    command = [need("mmdebstrap"), "--variant=essential", "--mode=root", "--quiet"]
    # Without it a package that merges /usr would come, with the whole of perl: 47 MB.
    command.append("--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr")
    command += [f"--include={','.join(packages)}", f"--architectures={architecture()}"]
    for path in ("doc", "man", "locale", "info", "lintian", "bug"):
        command.append(f"--dpkgopt=path-exclude=/usr/share/{path}/*")
    command.append("--dpkgopt=path-include=/usr/share/doc/*/copyright")
    # What differs from run to run or is of no use in an image.
    useless = ("var/cache/*", "var/log/*", "etc/machine-id", "etc/ssh/ssh_host_*")
    command.append("--customize-hook=rm -rf " + " ".join(f'"$1"/{path}' for path in useless))
    command += [suite, str(target), *mirrors(suite)]
    run(command, log=log, on_line=report, env=proxies())


def proxies() -> dict[str, str]:
    """What apt of this machine is set to ask through, as variables that mmdebstrap's apt, which has
    no settings, takes. Those of the environment go first, as with apt itself."""
    found = output([need("apt-config"), "dump", "--format", "%f=%v%n"])
    told = dict(line.split("=", 1) for line in found.splitlines() if "=" in line)
    asked = {f"{scheme}_proxy": told.get(f"Acquire::{scheme}::Proxy", "") for scheme in SCHEMES}
    # It may be set to a word instead, as DIRECT.
    return {name: url for name, url in asked.items() if "://" in url and name not in os.environ}


def write_layer(whole: Path, below: dict[str, Any], target: Path) -> dict[str, Any]:
    """Write what differs from the file systems below; return what all of it holds, by path.

    Folders above it are written too: unpacking would give them the time of the day, and each build
    of the layer another digest.
    """
    found: dict[str, Any] = {}
    folders: dict[str, tarfile.TarInfo] = {}
    with tarfile.open(whole) as archive, tarfile.open(target, "w") as out:
        for member in archive:
            reader = archive.extractfile(member) if member.isreg() else None
            content = reader.read() if reader else b""
            # Not the time: each bootstrap writes the same file anew.
            owner = (member.mode, member.uid, member.gid)
            digest = hashlib.sha256(content).hexdigest()
            found[member.name] = (member.type, *owner, member.linkname, digest)
            if found[member.name] != below.get(member.name):
                for folder in reversed(PurePosixPath(member.name).parents):
                    if above := folders.pop(str(folder), None):
                        out.addfile(above)
                out.addfile(member, io.BytesIO(content))
            elif member.isdir():
                folders[str(PurePosixPath(member.name))] = member
    if gone := sorted(below.keys() - found.keys()):
        raise BundleError(
            f"{target.stem}: its packages take {gone[0]} away, which is in a layer below; a layer "
            "can only add: list packages that don't conflict with those below"
        )
    return found


def mirrors(suite: str) -> list[str]:
    """Lines for sources.list: this machine's own, where it runs the same suite."""
    listed = output(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"])
    wanted = {suite, f"{suite}-updates", f"{suite}-security"}
    found: dict[str, None] = {}
    for line in listed.splitlines():
        uri, _, rest = line.partition(" ")
        name, _, component = rest.partition(" ")
        if name in wanted and component == "main":
            found[f"deb {uri} {name} main"] = None
    if not found:
        raise BundleError(
            f"apt: no source of Debian {suite} is set up on this machine, from which root file "
            f"systems are made; add one for {suite} and run `apt-get update`"
        )
    return list(found)
