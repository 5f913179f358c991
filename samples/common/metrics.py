# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Counters for Prometheus, in a registry of each service's own."""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from starlette.requests import Request
from starlette.responses import Response

# Log-spaced from 1 ms on, each edge at most twice the one before: most answers take 1 to 20 ms.
_EDGES_MS = (1, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 250, 500, 1000, 2000, 4000)
LATENCY_EDGES = tuple(milliseconds / 1000 for milliseconds in _EDGES_MS)

# A time stamp beside each counter doubles what is scraped, and nobody reads it.
disable_created_metrics()  # type: ignore[no-untyped-call]

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """What is counted for every request, and a registry for what a service adds."""

    def __init__(self, service: str, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        info = Gauge("service_info", "Always 1.", ["service", "version"], registry=self.registry)
        info.labels(service, version).set(1)
        self._requests = Counter(
            "http_requests",
            "Requests answered.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time from the request's head to the answer's end.",
            ["route"],
            buckets=LATENCY_EDGES,
            registry=self.registry,
        )

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        # The method is the client's word: an endless number of them must not become series.
        known_method = method if method in _METHODS else "other"
        self._requests.labels(route, known_method, status).inc()
        self._seconds.labels(route).observe(seconds)

    async def answer(self, request: Request) -> Response:
        """The endpoint /metrics."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)
