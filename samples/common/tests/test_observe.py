# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every answer of both services has, and what is written about it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from samples.common.json_log import log_to
from samples.common.metrics import Metrics
from samples.common.service import make_service
from samples.common.tests.asgi import asked

SECRET = "what only the log may hold"


@pytest.fixture
def application() -> Starlette:
    async def good(request: Request) -> Response:
        return Response("good")

    async def broken(request: Request) -> Response:
        raise RuntimeError(SECRET)

    async def cut(request: Request) -> Response:
        async def pieces() -> Any:
            yield b"first"
            raise RuntimeError(SECRET)

        return StreamingResponse(pieces())

    routes = [Route("/good", good), Route("/broken", broken), Route("/cut", cut)]
    return make_service(routes, Metrics("test", "v7"), ("x-app-version", "v7"))


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handlers, level = logging.root.handlers, logging.root.level
    log_to(stream, "test", "v7")
    yield stream
    logging.root.handlers = handlers
    logging.root.setLevel(level)


def lines_of(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/good", 200),
        ("GET", "/healthz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/absent", 404),
        ("GET", "/good/", 404),
        ("DELETE", "/good", 405),
        ("GET", "/broken", 500),
    ],
)
def test_every_answer_names_the_version(
    application: Starlette, method: str, path: str, status: int
) -> None:
    answer = asked(application, method, path)
    assert (answer.status, answer.headers["x-app-version"]) == (status, "v7")
    assert len(answer.headers["x-request-id"]) == 32
    if status >= 400:
        assert answer.error
    if status == 405:
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_an_unexpected_error_is_told_to_the_log_alone(
    application: Starlette, log: io.StringIO
) -> None:
    answer = asked(application, "GET", "/broken")
    assert answer.error == "internal_error"
    assert SECRET not in answer.body.decode()
    error, request = lines_of(log)
    assert SECRET in error["traceback"]
    assert error["level"] == "error"
    assert error["request_id"] == request["request_id"] == answer.headers["x-request-id"]
    assert request["status"] == 500


def test_an_answer_that_breaks_off_is_not_completed(
    application: Starlette, log: io.StringIO
) -> None:
    with pytest.raises(RuntimeError):
        asked(application, "GET", "/cut")
    assert [line["message"] for line in lines_of(log)] == ["unexpected error", "request"]


def test_a_request_is_one_line(application: Starlette, log: io.StringIO) -> None:
    asked(application, "GET", "/good", headers={"x-request-id": "abc-1"})
    (line,) = lines_of(log)
    assert line.pop("ms") >= 0
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "service": "test",
        "version": "v7",
        "message": "request",
        "method": "GET",
        "path": "/good",
        "status": 200,
        "request_id": "abc-1",
    }


def test_probes_are_not_logged(application: Starlette, log: io.StringIO) -> None:
    asked(application, "GET", "/healthz")
    assert lines_of(log) == []
    asked(application, "POST", "/healthz")
    assert [line["status"] for line in lines_of(log)] == [405]


@pytest.mark.parametrize("sent", ["a b", "x" * 257, "a\x7f", ""])
def test_a_strange_request_id_is_replaced(application: Starlette, sent: str) -> None:
    answer = asked(application, "GET", "/good", headers={"x-request-id": sent})
    assert answer.headers["x-request-id"] != sent
    assert len(answer.headers["x-request-id"]) == 32


def test_a_request_id_is_kept(application: Starlette) -> None:
    answer = asked(application, "GET", "/good", headers={"x-request-id": "abc-1"})
    assert answer.headers["x-request-id"] == "abc-1"


def test_requests_are_counted_and_strangers_make_no_new_series(application: Starlette) -> None:
    for method, path in (("GET", "/good"), ("GET", "/a"), ("GET", "/b"), ("BREW", "/c")):
        asked(application, method, path)
    metrics = asked(application, "GET", "/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    text = metrics.body.decode()
    assert 'http_requests_total{method="GET",route="/good",status="200"} 1.0' in text
    assert 'http_requests_total{method="GET",route="other",status="404"} 2.0' in text
    assert 'http_requests_total{method="other",route="other",status="404"} 1.0' in text
    assert 'http_request_duration_seconds_count{route="/good"} 1.0' in text
    assert 'service_info{service="test",version="v7"} 1.0' in text
    assert "BREW" not in text
