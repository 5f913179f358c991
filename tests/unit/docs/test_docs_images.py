# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pictures were drawn from the sources that lie beside them, and can be read on paper."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
DIAGRAMS = REPOSITORY / "docs" / "diagrams"
IMAGES = REPOSITORY / "docs" / "images"
SHARED = DIAGRAMS / "style.d2"
SOURCES = [path for path in sorted(DIAGRAMS.glob("*.d2")) if path != SHARED]

# Of the Okabe-Ito palette; the same version has the same colour in every picture.
BLUE, ORANGE = "#0072B2", "#E69F00"
# As in style.d2 and render.mjs.
FONT_PIXELS, ZOOM = 18, 2
# On A4 between margins of 20 mm; text of 8 points can be read without a lens.
WIDTH_MM, HEIGHT_MM, LEAST_POINTS, MM_PER_POINT = 170, 257, 8, 25.4 / 72

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(png):
        (length,) = struct.unpack(">I", png[position : position + 4])
        yield png[position + 4 : position + 8], png[position + 8 : position + 8 + length]
        position += 12 + length


def recorded_sources(png: bytes) -> str:
    for kind, data in chunks(png):
        keyword, _, text = data.partition(b"\0")
        if kind == b"tEXt" and keyword == b"Source-SHA256":
            return text.decode("latin-1")
    return ""


@each_source
def test_a_picture_was_drawn_from_its_source(source: Path) -> None:
    used = [source, SHARED]
    expected = "".join(f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in used)
    found = recorded_sources((IMAGES / f"{source.stem}.png").read_bytes())
    assert found == expected, "a source was changed: run `make docs-images`"


def test_every_picture_has_a_source() -> None:
    assert SOURCES
    assert {path.stem for path in IMAGES.iterdir()} == {path.stem for path in SOURCES}


@each_source
def test_a_picture_can_be_read_on_a4(source: Path) -> None:
    header = next(chunks((IMAGES / f"{source.stem}.png").read_bytes()))[1]
    width, height = struct.unpack(">II", header[:8])
    scale = min(WIDTH_MM / width, HEIGHT_MM / height)
    assert FONT_PIXELS * ZOOM * scale / MM_PER_POINT >= LEAST_POINTS


@each_source
def test_versions_have_their_colours(source: Path) -> None:
    text = source.read_text()
    # The shared classes colour them; a colour of a picture's own would break the agreement.
    assert re.findall(r"#[0-9A-Fa-f]{6}|\b(?:fill|stroke)\b", text) == []
    drawn = [
        re.search(rf"\b{version}\b.*class: (?:\[|to-)?{version}\b", text)
        for version in ("v1", "v2")
    ]
    assert any(drawn)
    for version, other in (("v1", "v2"), ("v2", "v1")):
        assert not re.search(rf"^.*\b{version}\b.*class: \[?{other}\b", text, re.MULTILINE)


def test_the_shared_colours_are_these() -> None:
    found = dict(re.findall(r'^  (v1|v2): .*fill: "(#\w+)"', SHARED.read_text(), re.MULTILINE))
    assert found == {"v1": BLUE, "v2": ORANGE}


def test_the_lock_file_pins_and_names_no_address() -> None:
    lock = json.loads((DIAGRAMS / "package-lock.json").read_text())
    manifest = json.loads((DIAGRAMS / "package.json").read_text())
    packages = {path: item for path, item in lock["packages"].items() if path}
    assert packages
    for path, item in packages.items():
        assert "resolved" not in item, path
        assert item["integrity"].startswith("sha512-"), path
    for name, version in manifest["dependencies"].items():
        assert packages[f"node_modules/{name}"]["version"] == version
