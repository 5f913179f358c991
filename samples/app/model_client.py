# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asking the model-service, and what to tell the user when it can't answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

import aiohttp
from prometheus_client import CollectorRegistry, Histogram
from starlette.types import Scope

from samples.common.errors import ApiError
from samples.common.metrics import LATENCY_EDGES
from samples.common.record import header, record_of

VERSION_HEADER = "x-model-version"

# Passed on so that a trace, and a search for one request's id, spans both services.
_TRACE_HEADERS = (
    b"traceparent",
    b"tracestate",
    b"b3",
    b"x-b3-traceid",
    b"x-b3-spanid",
    b"x-b3-parentspanid",
    b"x-b3-sampled",
    b"x-b3-flags",
)
_VERSION = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What the model-service said, and which version of it."""

    version: str
    document: dict[str, object]


class ModelClient:
    """A pool of connections to the model-service. Use it as an asynchronous context manager."""

    def __init__(self, address: str, timeout_seconds: float) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._session: aiohttp.ClientSession | None = None
        self._seconds: Histogram | None = None

    def count_in(self, registry: CollectorRegistry) -> None:
        """Register this client's metrics."""
        self._seconds = Histogram(
            "model_request_duration_seconds",
            "Time the model-service took, by how the request ended.",
            ["outcome"],
            buckets=LATENCY_EDGES,
            registry=registry,
        )

    async def __aenter__(self) -> ModelClient:
        self._session = aiohttp.ClientSession(
            # Kept alive for less time than any server or proxy keeps them, so that this side
            # closes first and no request meets a connection that is just going away.
            connector=aiohttp.TCPConnector(limit=200, keepalive_timeout=15, ttl_dns_cache=10),
            timeout=aiohttp.ClientTimeout(total=self._timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def predict(self, image: list[list[float]], scope: Scope) -> ModelAnswer:
        """Have an image classified, on behalf of the request with this scope."""
        body = json.dumps({"image": image}).encode("ascii")
        return await self._ask("POST", "/predict", scope, body)

    async def version(self, scope: Scope) -> ModelAnswer:
        """Ask which model would answer."""
        return await self._ask("GET", "/version", scope)

    async def _ask(
        self, method: str, path: str, scope: Scope, body: bytes | None = None
    ) -> ModelAnswer:
        assert self._session is not None, "use the client inside `async with`"
        started = perf_counter()
        outcome = "unreachable"
        try:
            # No retry: it would hide a bad canary, and the mesh has a policy of its own.
            async with self._session.request(
                method, self._address + path, data=body, headers=_headers(scope, body)
            ) as response:
                outcome = f"{response.status // 100}xx"
                answer = await response.read()
                version = response.headers.get(VERSION_HEADER, "")
                return _judge(response.status, version, answer, scope)
        except TimeoutError:
            outcome = "timeout"
            reason = f"the model-service gave no answer within {self._timeout_seconds:g} s"
            raise ApiError(504, "model_timeout", reason) from None
        except aiohttp.ClientError as error:
            # The class of the error says what failed; its text may hold addresses.
            reason = f"the model-service can't be reached ({type(error).__name__})"
            raise ApiError(502, "model_unreachable", reason) from None
        finally:
            if self._seconds:
                self._seconds.labels(outcome).observe(perf_counter() - started)


def _headers(scope: Scope, body: bytes | None) -> dict[str, str]:
    headers = {"x-request-id": record_of(scope).request_id}
    for name in _TRACE_HEADERS:
        value = header(scope["headers"], name)
        if value is not None:
            headers[name.decode("ascii")] = value
    if body is not None:
        headers["content-type"] = "application/json"
    return headers


def _judge(status: int, version: str, answer: bytes, scope: Scope) -> ModelAnswer:
    """The model-service's answer, or an error that still names the version that gave it."""
    # A proxy on the way answers without this header; then no model-service has answered.
    marks: Mapping[str, str] = {}
    if _VERSION.fullmatch(version):
        marks = {VERSION_HEADER: version}
        record_of(scope).fields["model_version"] = version
    if status != 200:
        code, reason = "model_failed", f"the model-service answered with status {status}"
        raise ApiError(502, code, reason, marks)
    try:
        document = json.loads(answer)
    except ValueError:
        document = None
    if not marks or not isinstance(document, dict):
        reason = "the answer is not one of the model-service: check MODEL_SERVICE_URL"
        raise ApiError(502, "model_answer_invalid", reason, marks)
    return ModelAnswer(version, document)
