# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Digits drawn on the page as people draw them, for tests in a browser."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence

from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

Stroke = Sequence[tuple[float, float]]


def arc(
    centre: tuple[float, float], radii: tuple[float, float], start: float, end: float
) -> list[tuple[float, float]]:
    """Points on an ellipse from one angle to another, in degrees, clockwise from the right."""
    angles = (math.radians(start + (end - start) * step / 20) for step in range(21))
    return [
        (centre[0] + radii[0] * math.cos(angle), centre[1] + radii[1] * math.sin(angle))
        for angle in angles
    ]


# Drawn as people draw them, in shares of the pad; small, large and off centre.
DIGITS: dict[int, list[Stroke]] = {
    0: [arc((0.3, 0.4), (0.13, 0.2), -90, 270)],
    1: [[(0.4, 0.35), (0.52, 0.2), (0.5, 0.85)]],
    2: [[*arc((0.6, 0.4), (0.15, 0.13), 180, 380), (0.46, 0.75), (0.78, 0.75)]],
    3: [[*arc((0.45, 0.3), (0.15, 0.13), 200, 450), *arc((0.45, 0.56), (0.17, 0.14), -90, 160)]],
    4: [[(0.6, 0.15), (0.3, 0.6), (0.75, 0.6)], [(0.62, 0.4), (0.58, 0.85)]],
    5: [[(0.62, 0.2), (0.36, 0.2), (0.34, 0.45), *arc((0.47, 0.58), (0.16, 0.16), -120, 150)]],
    6: [[(0.58, 0.1), (0.4, 0.4), *arc((0.48, 0.68), (0.17, 0.18), -180, 180)]],
    7: [[(0.3, 0.2), (0.7, 0.2), (0.48, 0.8)], [(0.42, 0.5), (0.66, 0.5)]],
    8: [[*arc((0.5, 0.3), (0.13, 0.13), 90, 450), *arc((0.5, 0.58), (0.16, 0.15), -90, 270)]],
    9: [[*arc((0.48, 0.33), (0.14, 0.14), 0, -360), (0.6, 0.5), (0.55, 0.8)]],
}


def draw(page: Page, strokes: Sequence[Stroke]) -> None:
    """Draw on the pad with the mouse."""
    box = page.locator("#pad").bounding_box()
    assert box
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()
