# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The app's own routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from samples.app.model_client import VERSION_HEADER, ModelClient
from samples.app.page import load_page
from samples.common.body import read_json
from samples.common.digit_image import image_of
from samples.common.metrics import Metrics
from samples.common.service import make_service


def make_app(version: str, model: ModelClient) -> Starlette:
    """The app of this version, which asks that model-service."""
    page = load_page()
    metrics = Metrics("app", version)
    model.count_in(metrics.registry)

    async def predict(request: Request) -> Response:
        image = image_of(await read_json(request))
        answer = await model.predict(image, request.scope)
        document = {
            "digit": answer.document.get("digit"),
            "probabilities": answer.document.get("probabilities"),
            "versions": {"app": version, "model": answer.version},
        }
        return JSONResponse(document, headers={VERSION_HEADER: answer.version})

    async def versions(request: Request) -> Response:
        answer = await model.version(request.scope)
        document = {"app": version, "model": answer.version}
        return JSONResponse(document, headers={VERSION_HEADER: answer.version})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with model:
            yield

    routes = [
        Route("/", page.answer),
        Route("/api/predict", predict, methods=["POST"]),
        Route("/api/version", versions),
    ]
    return make_service(routes, metrics, ("x-app-version", version), lifespan)
