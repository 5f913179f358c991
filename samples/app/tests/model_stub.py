# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A model-service that does what a test says, on a socket of the loopback interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

PREDICTION = '{"digit": 4, "probabilities": [0, 0, 0, 0, 1, 0, 0, 0, 0, 0], "version": "v9"}'


@dataclass
class ModelStub:
    """What it answers, and what it was asked."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"x-model-version": "v9"})
    body: str = PREDICTION
    delay: float = 0.0
    break_off: bool = False
    address: str = ""
    requests: list[web.BaseRequest] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as told."""
        self.requests.append(request)
        self.bodies.append(await request.read())
        await asyncio.sleep(self.delay)
        if self.break_off and request.transport:
            request.transport.abort()
        return web.Response(text=self.body, status=self.status, headers=self.headers)


@asynccontextmanager
async def stub_running(stub: ModelStub) -> AsyncIterator[ModelStub]:
    """Serve the stub on a free port."""
    runner = web.ServerRunner(web.Server(stub.answer), shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        stub.address = f"http://{host}:{port}"
        yield stub
    finally:
        await runner.cleanup()
