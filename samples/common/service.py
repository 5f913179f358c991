# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Putting a service together, and running it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from samples.common import settings
from samples.common.errors import ApiError, answer_api_error, answer_http_exception
from samples.common.json_log import log_to_stdout
from samples.common.metrics import Metrics
from samples.common.observe import Observe

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


async def _healthz(request: Request) -> Response:
    # Depends on nothing else: a broken neighbour must not get this pod restarted.
    return PlainTextResponse("ok\n")


def make_service(
    routes: Sequence[Route],
    metrics: Metrics,
    version_header: tuple[str, str],
    lifespan: Lifespan | None = None,
) -> Starlette:
    """The ASGI application: the service's own routes, /healthz, /metrics, and JSON errors."""
    all_routes = [*routes, Route("/healthz", _healthz), Route("/metrics", metrics.answer)]
    observe = Middleware(
        Observe,
        metrics=metrics,
        version_header=version_header,
        paths=frozenset(route.path for route in all_routes),
    )
    application = Starlette(
        routes=all_routes,
        middleware=[observe],
        exception_handlers={
            ApiError: answer_api_error,
            HTTPException: answer_http_exception,
        },
        lifespan=lifespan,
    )
    application.router.redirect_slashes = False
    return application


def run(name: str, version: str, make: Callable[[], Starlette]) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in flight and return."""
    # The server passes a signal on when it has stopped; an orderly end is no failure. This also
    # ends a process that gets the signal while it is starting: as process 1 it would ignore it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    log_to_stdout(name, version)
    try:
        config = uvicorn.Config(
            make(),
            host=os.environ.get("HOST") or "0.0.0.0",
            port=int(settings.number("PORT", 8080, 1, 65535)),
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            # Longer than Envoy keeps an idle connection (1 h): of the two, the proxy must be the
            # one to close, or a request meets a connection that is just going away.
            timeout_keep_alive=int(settings.number("KEEP_ALIVE_SECONDS", 3700, 1, 86400)),
            timeout_graceful_shutdown=int(settings.number("SHUTDOWN_SECONDS", 20, 1, 3600)),
        )
    except settings.SettingsError as error:
        sys.exit(f"{name}: {error}")
    uvicorn.Server(config).run()
