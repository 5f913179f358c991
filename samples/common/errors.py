# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Errors as clients see them: JSON with a code for programs and a reason for people."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from samples.common.record import record_of

_STATUS_CODES = {404: "not_found", 405: "method_not_allowed"}


class ApiError(Exception):
    """A request that gets an error answer. The reason must not repeat what the client sent."""

    def __init__(
        self, status: int, code: str, reason: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {reason}")
        self.status = status
        self.code = code
        self.reason = reason
        self.headers = headers


def error_document(code: str, reason: str) -> dict[str, dict[str, str]]:
    """The body of every error answer."""
    return {"error": {"code": code, "reason": reason}}


# Both are coroutines because the framework sends other handlers to a thread.
async def answer_api_error(request: Request, error: Exception) -> Response:
    """Answer one of our own errors."""
    assert isinstance(error, ApiError)
    record_of(request.scope).fields["error"] = error.code
    return JSONResponse(error_document(error.code, error.reason), error.status, error.headers)


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer the framework's errors: no such path, wrong method."""
    assert isinstance(error, HTTPException)
    code = _STATUS_CODES.get(error.status_code, "bad_request")
    reason = {
        404: "there is nothing at this path",
        405: "this path doesn't take this method; the Allow header names those it takes",
    }.get(error.status_code, "the request can't be answered")
    record_of(request.scope).fields["error"] = code
    return JSONResponse(error_document(code, reason), error.status_code, error.headers)
