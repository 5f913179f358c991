#!/usr/bin/env python3
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Draws docs/diagrams/*.d2 as docs/images/*.png.

The tools are npm packages, pinned in docs/diagrams/package-lock.json and installed into .cache/
once; the drawing itself needs no network and no fonts of the machine. Each picture says in a text
chunk which sources it was drawn from, as sha256sum lists them; a test compares that with the files.

Needs Python and Node.js 18 or newer with npm.
"""

from __future__ import annotations

import argparse
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from hashlib import sha256
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DIAGRAMS = REPOSITORY / "docs" / "diagrams"
IMAGES = REPOSITORY / "docs" / "images"
TOOLS = REPOSITORY / ".cache" / "diagrams"
TOOL_FILES = (".npmrc", "package.json", "package-lock.json")
# What sources import from, and no picture of its own.
SHARED = "style.d2"
KEYWORD = "Source-SHA256"
IMPORT = re.compile(r"^\s*\.\.\.@([\w-]+)\s*$", re.MULTILINE)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class DrawError(Exception):
    """The pictures can't be drawn; the message says why and what to do."""


def sources_of(diagram: Path) -> str:
    """The diagram and what it imports, as sha256sum would list them."""
    imported = [diagram.with_name(f"{name}.d2") for name in IMPORT.findall(diagram.read_text())]
    return "".join(
        f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in [diagram, *imported]
    )


def with_text(png: bytes, keyword: str, text: str) -> bytes:
    """The picture with one more text chunk, right after its header."""
    end = len(PNG_SIGNATURE) + 12 + struct.unpack(">I", png[8:12])[0]
    if png[:8] != PNG_SIGNATURE or png[12:16] != b"IHDR":
        raise DrawError("the renderer gave no PNG; see docs/diagrams/render.mjs")
    body = b"tEXt" + keyword.encode("latin-1") + b"\0" + text.encode("latin-1")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:end] + chunk + png[end:]


def run(command: list[str], folder: Path) -> None:
    if not shutil.which(command[0]):
        raise DrawError(
            f"{command[0]}: not found; expected Node.js 18 or newer with npm, as in Debian's "
            "packages nodejs and npm"
        )
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DrawError(
            f"`{' '.join(command[:2])} …` ended with {done.returncode}:\n{done.stderr[-2000:]}"
        )


def install_tools() -> None:
    """Have the packages of the lock file in .cache/, where they are not in anyone's way."""
    wanted = "".join((DIAGRAMS / name).read_text() for name in TOOL_FILES)
    stamp = TOOLS / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("draw: installing the packages of docs/diagrams/package-lock.json", flush=True)
    shutil.rmtree(TOOLS, ignore_errors=True)
    TOOLS.mkdir(parents=True)
    for name in TOOL_FILES:
        shutil.copyfile(DIAGRAMS / name, TOOLS / name)
    run(["npm", "ci"], TOOLS)
    # Last, so that an installation that was stopped is made again.
    stamp.write_text(wanted)


def draw(diagrams: list[Path]) -> None:
    install_tools()
    # Beside its packages, because that is where Node.js looks for them.
    shutil.copyfile(DIAGRAMS / "render.mjs", TOOLS / "render.mjs")
    with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
        run(["node", "render.mjs", folder, *map(str, diagrams)], TOOLS)
        IMAGES.mkdir(exist_ok=True)
        for diagram in diagrams:
            png = (Path(folder) / f"{diagram.stem}.png").read_bytes()
            image = IMAGES / f"{diagram.stem}.png"
            image.write_bytes(with_text(png, KEYWORD, sources_of(diagram)))
            print(f"draw: {image.relative_to(REPOSITORY)}")


def main() -> int:
    known = {path.stem: path for path in sorted(DIAGRAMS.glob("*.d2")) if path.name != SHARED}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)}")
    names = parser.parse_args().names or list(known)
    unknown = [name for name in names if name not in known]
    try:
        if unknown:
            raise DrawError(f"{', '.join(unknown)}: expected {', '.join(known)}")
        draw([known[name] for name in names])
    except DrawError as error:
        print(f"draw: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
