# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page is one document that asks nobody else for anything."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re

from samples.app.model_client import ModelClient
from samples.app.service import make_app
from samples.common.tests.asgi import Answer, ask

IDS = (
    "pad",
    "predict",
    "clear",
    "answer",
    "probabilities",
    "app-version",
    "model-version",
    "error",
)


def page(**headers: str) -> Answer:
    application = make_app("v8", ModelClient("http://127.0.0.1:1", 1))
    return asyncio.run(ask(application, "GET", "/", headers=headers))


def test_what_other_tests_look_for_is_there() -> None:
    answer = page()
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    html = answer.body.decode()
    for element_id in IDS:
        assert html.count(f'id="{element_id}"') == 1


def test_nothing_is_loaded_from_elsewhere() -> None:
    html = page().body.decode()
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert all(source.startswith("data:") for source in sources)
    assert not re.search(r"@import|url\(", html)


def test_the_policy_allows_exactly_what_the_page_holds() -> None:
    answer = page()
    html = answer.body.decode()
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    for tag in ("style", "script"):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in texts]
        assert texts
        assert policy[f"{tag}-src"] == " ".join(f"'sha256-{d.decode()}'" for d in digests)
    assert policy["default-src"] == "'none'"


def test_an_unchanged_page_is_not_sent_again() -> None:
    tag = page().headers["etag"]
    again = page(**{"if-none-match": tag})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["x-app-version"] == "v8"
    assert page(**{"if-none-match": '"other"'}).status == 200
