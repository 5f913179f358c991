# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A release behind a gateway, played by a server on 127.0.0.1; and the API server beside it."""

from __future__ import annotations

import asyncio
import random
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class FakeApp:
    """How it behaves, and what it saw. The draws are seeded: the n-th request's fate is fixed."""

    canary_share: float = 0.1
    seed: int = 20
    mixed_every: int = 0
    failing_every: int = 0
    slow_every: int = 0
    cut_every: int = 0
    close_kept_connections: bool = False
    headers: bool = True
    secured: ssl.SSLContext | None = None
    virtual_services: list[dict[str, Any]] = field(default_factory=list)

    port: int = 0
    seen: int = 0
    most_at_once: int = 0
    connections: set[Any] = field(default_factory=set)
    requests: list[dict[str, str]] = field(default_factory=list)
    drawn: Counter[str] = field(default_factory=Counter)
    _at_once: int = 0

    @property
    def url(self) -> str:
        return f"{'https' if self.secured else 'http'}://127.0.0.1:{self.port}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen += 1
        number = self.seen
        version = "v2" if self._draw.random() < self.canary_share else "v1"
        self.drawn[version] += 1
        first_on_connection = request.transport not in self.connections
        self.connections.add(request.transport)
        self.requests.append({"method": request.method, **request.headers})
        if self.close_kept_connections and not first_on_connection:
            return self._cut(request)
        if self.cut_every and number % self.cut_every == 0:
            return self._cut(request)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            slow = self.slow_every and number % self.slow_every == 0
            await asyncio.sleep(0.2 if slow else 0)
        finally:
            self._at_once -= 1
        crossed = self.mixed_every and number % self.mixed_every == 0
        model = {"v1": "v2", "v2": "v1"}[version] if crossed else version
        failing = self.failing_every and number % self.failing_every == 0
        response = web.json_response({"app": version}, status=503 if failing else 200)
        if self.headers:
            response.headers["x-app-version"] = version
            response.headers["x-model-version"] = model
        response.set_cookie("roost-digits", "v2.1.1")
        return response

    @staticmethod
    def _cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async def list_virtual_services(self, _: web.Request) -> web.Response:
        return web.json_response({"items": self.virtual_services})

    @contextmanager
    def running(self) -> Iterator[FakeApp]:
        """Serve from a thread of its own, as the load generator has an event loop of its own."""
        self._draw = random.Random(self.seed)
        loop = asyncio.new_event_loop()
        runner = web.AppRunner(self._application(), access_log=None)

        async def start() -> None:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.secured)
            await site.start()
            self.port = runner.addresses[0][1]

        loop.run_until_complete(start())
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _application(self) -> web.Application:
        application = web.Application()
        path = "/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices"
        application.router.add_get(path, self.list_virtual_services)
        application.router.add_get("/{path:.*}", self.answer)
        return application


def release(**changes: Any) -> dict[str, Any]:
    return {
        "name": "digits",
        "namespace": "digits",
        "stable": "v1",
        "canary": {"version": "v2", "weight": 10},
        "versions": {
            "v1": {"app": "app:v1", "model-service": "model:v1"},
            "v2": {"app": "app:v2", "model-service": "model:v2"},
        },
        "services": {
            "app": {"port": 8080, "replicas": 2, "entry": True},
            "model-service": {"port": 8080, "replicas": 2},
        },
        **changes,
    }


def entry_route(**weights: int) -> dict[str, Any]:
    host = "app.digits.svc.cluster.local"
    return {
        "metadata": {"name": "digits-gateway", "namespace": "digits"},
        "spec": {
            "hosts": ["*"],
            "gateways": ["digits/digits"],
            "http": [
                {
                    "name": "weights",
                    "route": [
                        {"destination": {"host": host, "subset": subset}, "weight": weight}
                        for subset, weight in weights.items()
                    ],
                }
            ],
        },
    }
