# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page in a browser: drawn digits are read, with the mouse and with the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from samples.app.tests.drawing import CHROMIUM, DIGITS, FLAGS, draw
from samples.common.tests.processes import Service, running

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")


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
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
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
