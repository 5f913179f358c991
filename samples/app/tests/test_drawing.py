# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page in a browser: drawn digits are read, with the mouse and with the keyboard."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from samples.common.tests.processes import Service, running

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")

_FLAGS = [
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


@pytest.fixture(scope="module")
def app(model_files: dict[str, Path]) -> Iterator[Service]:
    with (
        running("model_service", MODEL_FILE=str(model_files["v2"])) as model,
        running("app", MODEL_SERVICE_URL=model.address) as app,
    ):
        yield app


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser.new_page()
        browser.close()


@pytest.fixture
def page(browser_page: Page, app: Service) -> Iterator[Page]:
    complaints: list[str] = []

    def note(message: object) -> None:
        complaints.append(str(message))

    browser_page.on("pageerror", note)
    browser_page.goto(app.address)
    expect(browser_page.locator("#model-version")).to_have_text("v2")
    yield browser_page
    browser_page.remove_listener("pageerror", note)
    assert complaints == []


@pytest.mark.parametrize("digit", DIGITS)
def test_a_drawn_digit_is_read(page: Page, digit: int) -> None:
    draw(page, DIGITS[digit])
    expect(page.locator("#answer")).to_have_text(str(digit))
    expect(page.locator("#app-version")).to_have_text("dev")
    expect(page.locator("#model-version")).to_have_text("v2")
    expect(page.locator("#error")).to_be_hidden()
    expect(page.locator("#pad-hint")).to_be_hidden()
    rows = page.locator("#probabilities li")
    expect(rows).to_have_count(10)
    expect(page.locator("#probabilities li.best")).to_contain_text(str(digit))


def test_the_button_asks_at_once_and_the_drawing_can_be_cleared(page: Page) -> None:
    draw(page, DIGITS[0])
    page.locator("#predict").click()
    expect(page.locator("#answer")).to_have_text("0")
    page.locator("#clear").click()
    expect(page.locator("#answer")).to_have_text("–")
    expect(page.locator("#pad-hint")).to_be_visible()
    page.locator("#predict").click()
    expect(page.locator("#confidence")).to_have_text("Draw a digit first")


def test_a_digit_can_be_drawn_with_the_keyboard(page: Page) -> None:
    page.locator("#pad").focus()
    page.keyboard.press("Space")
    for _ in range(14):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_have_text("1")
    page.keyboard.press("Escape")
    expect(page.locator("#answer")).to_have_text("–")


def test_a_digit_can_be_drawn_with_a_finger(page: Page) -> None:
    box = page.locator("#pad").bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    for kind, share in (("Start", 0.2), ("Move", 0.5), ("Move", 0.8), ("End", None)):
        at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] * (share or 0)}
        points = [] if share is None else [at]
        session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    expect(page.locator("#answer")).to_have_text("1")


def test_an_error_is_shown_and_goes_away_with_the_next_answer(page: Page) -> None:
    broken = '{"error": {"code": "model_timeout", "reason": "the model-service is late"}}'
    page.route(
        "**/api/predict",
        lambda route: route.fulfill(status=504, content_type="application/json", body=broken),
    )
    draw(page, DIGITS[0])
    expect(page.locator("#error")).to_contain_text("the model-service is late")
    expect(page.locator("#answer")).to_have_text("–")
    page.unroute("**/api/predict")
    page.locator("#predict").click()
    expect(page.locator("#answer")).to_have_text("0")
    expect(page.locator("#error")).to_be_hidden()
