# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The model-service's own routes."""

from __future__ import annotations

from prometheus_client import Counter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from samples.common.body import read_json
from samples.common.digit_image import image_of
from samples.common.metrics import Metrics
from samples.common.service import make_service
from samples.model_service.model import Model


def make_model_service(model: Model) -> Starlette:
    """The service that answers with this model. Its version is the one in the model's file."""
    metrics = Metrics("model-service", model.version)
    predictions = Counter(
        "predictions", "Answers given, by digit.", ["digit"], registry=metrics.registry
    )

    async def predict(request: Request) -> Response:
        image = image_of(await read_json(request))
        # On the event loop: it takes a fraction of a millisecond, less than handing it to a thread.
        probabilities = model.probabilities(image)
        digit = probabilities.index(max(probabilities))
        predictions.labels(digit).inc()
        rounded = [round(probability, 6) for probability in probabilities]
        return JSONResponse({"digit": digit, "probabilities": rounded, "version": model.version})

    async def version(request: Request) -> Response:
        return JSONResponse(model.description)

    routes = [
        Route("/predict", predict, methods=["POST"]),
        Route("/version", version),
    ]
    return make_service(routes, metrics, ("x-model-version", model.version))
