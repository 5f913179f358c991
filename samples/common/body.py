# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading a JSON body that may be anything: too large, too slow, no JSON."""

from __future__ import annotations

import asyncio
import json
from typing import NoReturn

from starlette.requests import Request

from samples.common.errors import ApiError

# An image with 64 long decimal numbers and generous white space stays below 4 KiB.
BODY_LIMIT = 16 * 1024
# A body this small arrives at once; a client that dribbles must not hold a connection for long.
BODY_SECONDS = 5.0


async def read_json(request: Request, limit: int = BODY_LIMIT) -> object:
    """The request's body as a Python value, or an ApiError that says what is wrong with it."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:19]) > limit:
        raise _too_large(limit)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise ApiError(415, "unsupported_media_type", "send Content-Type: application/json")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read_at_most(request, limit)
    except TimeoutError:
        reason = f"the body was not complete after {BODY_SECONDS:g} s"
        raise ApiError(408, "request_timeout", reason) from None
    return parse_json(body)


async def _read_at_most(request: Request, limit: int) -> bytes:
    # The declared length may be missing or untrue, so what arrives is counted as well.
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "body_too_large", f"the body may have {limit} bytes at most")


def parse_json(body: bytes) -> object:
    """Strict JSON: UTF-8, without NaN and Infinity, which Python would take."""
    try:
        value: object = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise ApiError(400, "not_json", "the JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        reason = f"the body is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise ApiError(400, "not_json", reason) from None
    except UnicodeDecodeError:
        raise ApiError(400, "not_json", "the body is not UTF-8") from None
    except ValueError:
        raise ApiError(400, "not_json", "the JSON holds a number too long to read") from None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ApiError(400, "not_json", f"{name} is no JSON; send finite numbers")
