# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A body may be anything; the answer says what is wrong with it."""

from __future__ import annotations

import logging

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from samples.common import body
from samples.common.metrics import Metrics
from samples.common.service import make_service
from samples.common.tests.asgi import JSON, asked

LIMIT = body.BODY_LIMIT


@pytest.fixture
def echo() -> Starlette:
    async def answer(request: Request) -> Response:
        return JSONResponse(await body.read_json(request))

    routes = [Route("/echo", answer, methods=["POST"])]
    return make_service(routes, Metrics("test", "v1"), ("x-app-version", "v1"))


def test_a_body_in_pieces_is_put_together(echo: Starlette) -> None:
    answer = asked(echo, "POST", "/echo", headers=JSON, body=[b'{"a"', b":", b"[1, 2.5]}"])
    assert (answer.status, answer.json) == (200, {"a": [1, 2.5]})


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b"[" * LIMIT,
        b"9" * 5000,
    ],
    ids=lambda sent: repr(sent[:12]),
)
def test_what_is_no_json_is_refused(echo: Starlette, sent: bytes) -> None:
    answer = asked(echo, "POST", "/echo", headers=JSON, body=[sent])
    assert (answer.status, answer.error) == (400, "not_json")


def test_a_declared_length_above_the_limit_is_refused_before_anything_is_read(
    echo: Starlette,
) -> None:
    headers = {**JSON, "content-length": str(LIMIT + 1)}
    answer = asked(echo, "POST", "/echo", headers=headers, body=[None])
    assert (answer.status, answer.error) == (413, "body_too_large")


@pytest.mark.parametrize("declared", [{}, {"content-length": "2"}])
def test_more_than_the_limit_is_refused_whatever_was_declared(
    echo: Starlette, declared: dict[str, str]
) -> None:
    pieces = [b" " * 4096] * 5 + [None]  # Reading on after the limit would never end.
    answer = asked(echo, "POST", "/echo", headers={**JSON, **declared}, body=pieces)
    assert (answer.status, answer.error) == (413, "body_too_large")


def test_a_body_as_long_as_the_limit_is_taken(echo: Starlette) -> None:
    answer = asked(echo, "POST", "/echo", headers=JSON, body=[b"1" + b" " * (LIMIT - 1)])
    assert answer.status == 200


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/jsonp", ""])
def test_another_content_type_is_refused(echo: Starlette, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = asked(echo, "POST", "/echo", headers=headers, body=[b"1"])
    assert (answer.status, answer.error) == (415, "unsupported_media_type")


def test_parameters_of_the_content_type_do_no_harm(echo: Starlette) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert asked(echo, "POST", "/echo", headers=headers, body=[b"1"]).status == 200


def test_a_body_that_never_ends_is_given_up(
    echo: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "BODY_SECONDS", 0.05)
    answer = asked(echo, "POST", "/echo", headers=JSON, body=[b"[1,", None])
    assert (answer.status, answer.error) == (408, "request_timeout")


def test_a_client_that_leaves_is_no_error_of_ours(
    echo: Starlette, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = asked(echo, "POST", "/echo", headers=JSON, body=[])
    assert answer.status == 0
    (line,) = [record for record in caplog.records if record.name == "samples.request"]
    assert line.levelname == "INFO"
    assert line.__dict__["fields"]["status"] == 499
