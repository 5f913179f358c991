# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

# Imported in functions, because modules have to be importable without it.
if TYPE_CHECKING:
    import aiohttp

MOST_REQUESTS = 1_000_000
MOST_CONCURRENT = 512
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Plan:
    """What to send: GET to one address, until `requests` are answered or the time is over."""

    url: str
    requests: int
    time_limit: float
    concurrency: int = 16
    rate: float | None = None
    """Requests started per second, evenly spaced; without it, as fast as answers come."""
    timeout: float = 5.0
    headers: Mapping[str, str] = field(default_factory=dict)
    app_header: str | None = None
    model_header: str | None = None
    fingerprint: str | None = None
    """SHA-256, in hexadecimal, of the certificate that an https address has to show. It is all that
    is asked of it: neither names nor dates nor who has signed it."""
    server_name: str | None = None
    """The name that an https address is asked for, in place of the one in `url`."""

    def check(self) -> None:
        """Refuse what this generator must not do, before anything is sent."""
        address = urlsplit(self.url)
        scheme = "https" if self.fingerprint else "http"
        if address.scheme != scheme or not address.hostname:
            more = "" if self.fingerprint else ", or https and a fingerprint"
            raise ValueError(f"url: expected {scheme}://HOST[:PORT]/…{more}, got '{self.url}'")
        if self.fingerprint and not _SHA256.fullmatch(self.fingerprint):
            raise ValueError(f"fingerprint: expected 64 hexadecimal digits, got {self.fingerprint}")
        limits = (
            ("requests", self.requests, MOST_REQUESTS),
            ("concurrency", self.concurrency, MOST_CONCURRENT),
            ("time_limit", self.time_limit, 3600),
            ("timeout", self.timeout, 300),
            ("rate", self.rate if self.rate is not None else 1, 10_000),
        )
        for name, value, most in limits:
            if not 0 < value <= most:
                raise ValueError(f"{name}: expected more than 0 and at most {most}, got {value}")


@dataclass(frozen=True)
class Sample:
    """One request: either a status, or the kind of failure that left it without one."""

    latency: float
    at: float = 0.0
    """When it ended, in seconds since 1970."""
    status: int | None = None
    failure: str | None = None
    detail: str = ""
    app: str | None = None
    model: str | None = None


async def generate(plan: Plan, stop: Callable[[], bool] = lambda: False) -> list[Sample]:
    """Send the plan's requests; no cookie is kept, no request repeated, no redirect followed.

    No request is begun once `stop` says so. Those that run when the time is over are waited for
    (each has its own timeout): leaving them out would leave out the slow ones.
    """
    import aiohttp

    plan.check()
    samples: list[Sample] = []
    # Once: aiohttp keeps no connection for a pin that is another object, though it says the same.
    pin = aiohttp.Fingerprint(bytes.fromhex(plan.fingerprint)) if plan.fingerprint else True
    connector = aiohttp.TCPConnector(limit=plan.concurrency, force_close=False, ssl=pin)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=dict(plan.headers),
        timeout=aiohttp.ClientTimeout(total=plan.timeout),
        raise_for_status=False,
        trust_env=False,
    ) as session:
        # aiohttp repeats a GET whose kept connection was closed, and has no public switch for it.
        # A check that counts lost requests must see them (a unit test guards this line).
        session._retry_connection = False
        tickets = iter(range(plan.requests))
        start = time.monotonic()
        await asyncio.gather(
            *(
                _work(session, plan, tickets, start, samples, stop)
                for _worker in range(plan.concurrency)
            )
        )
    return samples


async def _work(
    session: aiohttp.ClientSession,
    plan: Plan,
    tickets: Iterator[int],
    start: float,
    samples: list[Sample],
    stop: Callable[[], bool],
) -> None:
    end = start + plan.time_limit
    for ticket in tickets:
        due = time.monotonic() if plan.rate is None else start + ticket / plan.rate
        if max(due, time.monotonic()) >= end:
            return
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if stop():
            return
        # At a constant rate the clock starts when the request was due, not when a worker became
        # free for it: otherwise a stall would hide the waiting of all requests behind it.
        samples.append(await _get(session, plan, due))


async def _get(session: aiohttp.ClientSession, plan: Plan, since: float) -> Sample:
    import aiohttp

    try:
        async with session.get(
            plan.url, allow_redirects=False, server_hostname=plan.server_name
        ) as response:
            async for _chunk in response.content.iter_chunked(65536):
                pass
            return Sample(
                latency=time.monotonic() - since,
                at=time.time(),
                status=response.status,
                app=response.headers.get(plan.app_header) if plan.app_header else None,
                model=response.headers.get(plan.model_header) if plan.model_header else None,
            )
    except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
        return Sample(
            latency=time.monotonic() - since,
            at=time.time(),
            failure=_kind(error),
            detail=str(error) or type(error).__name__,
        )


def _kind(error: Exception) -> str:
    import aiohttp

    if isinstance(error, asyncio.TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        return "another certificate"
    if isinstance(error, aiohttp.ClientConnectorError):
        refused = isinstance(error.os_error, ConnectionRefusedError)
        return "connection refused" if refused else "connection failed"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "incomplete answer"
    if isinstance(error, (aiohttp.ServerDisconnectedError, OSError)):
        return "connection closed"
    return "invalid answer"


def run(plan: Plan) -> tuple[list[Sample], float]:
    """All samples and the seconds that it took."""
    start = time.monotonic()
    samples = asyncio.run(generate(plan))
    return samples, time.monotonic() - start
