# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The outermost layer of both services: version header, request id, log line, metrics, last net."""

from __future__ import annotations

import logging
from time import perf_counter

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from samples.common.errors import error_document
from samples.common.metrics import Metrics
from samples.common.record import Record, attach_record

_log = logging.getLogger("samples.request")

# Probes come every few seconds for ever; a line for each would bury the rest.
_QUIET_PATHS = frozenset({"/healthz"})
# What reverse proxies write when the client has gone before the answer.
_CLIENT_CLOSED = 499


class Observe:
    """ASGI middleware, written out because the framework's base class costs a task per request."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        version_header: tuple[str, str],
        paths: frozenset[str],
    ) -> None:
        self._app = app
        self._metrics = metrics
        name, version = version_header
        self._version_header = (name.encode("ascii"), version.encode("ascii"))
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        record = attach_record(scope)
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message["headers"])
                headers.append(self._version_header)
                headers.append((b"x-request-id", record.request_id.encode("latin-1")))
                message["headers"] = headers
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except ClientDisconnect:
            status = _CLIENT_CLOSED
        except Exception:
            _log.exception("unexpected error", extra={"fields": {"request_id": record.request_id}})
            if status:  # The answer had begun: only cutting it off tells the client.
                raise
            record.fields["error"] = "internal_error"
            document = error_document("internal_error", "the service failed; its log says why")
            await JSONResponse(document, 500)(scope, receive, send_marked)
        finally:
            self._note(scope, record, status, perf_counter() - started)

    def _note(self, scope: Scope, record: Record, status: int, seconds: float) -> None:
        path = scope["path"]
        self._metrics.observe(
            path if path in self._paths else "other", scope["method"], status, seconds
        )
        if path in _QUIET_PATHS and status < 400:
            return
        fields = {
            "method": scope["method"],
            "path": path[:200],
            "status": status,
            "ms": round(seconds * 1000, 2),
            "request_id": record.request_id,
            **record.fields,
        }
        _log.info("request", extra={"fields": fields})
