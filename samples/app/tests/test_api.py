# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The app's API, with a model-service that answers well, badly, late or never."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from samples.app.model_client import ModelClient
from samples.app.service import make_app
from samples.app.tests.model_stub import ModelStub, stub_running
from samples.common.tests.asgi import JSON, ZERO, Answer, ask
from samples.common.tests.processes import free_port

IMAGE = [json.dumps({"image": ZERO}).encode()]
TIMEOUT = 0.3


async def through(client: ModelClient, method: str, path: str, **options: Any) -> Answer:
    application = make_app("v8", client)
    async with client:
        return await ask(application, method, path, **options)


def with_stub(stub: ModelStub, method: str, path: str, **options: Any) -> Answer:
    async def run() -> Answer:
        async with stub_running(stub):
            return await through(ModelClient(stub.address, TIMEOUT), method, path, **options)

    return asyncio.run(run())


def predict(stub: ModelStub, **options: Any) -> Answer:
    headers = {**JSON, **options.pop("headers", {})}
    return with_stub(stub, "POST", "/api/predict", **{"headers": headers, "body": IMAGE, **options})


def test_a_prediction_names_both_versions() -> None:
    stub = ModelStub()
    answer = predict(stub)
    assert answer.status == 200
    assert answer.headers["x-app-version"] == "v8"
    assert answer.headers["x-model-version"] == "v9"
    assert answer.json == {
        "digit": 4,
        "probabilities": [0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
        "versions": {"app": "v8", "model": "v9"},
    }
    assert json.loads(stub.bodies[0]) == {"image": ZERO}


def test_the_version_is_asked_for_each_time() -> None:
    stub = ModelStub(body="{}")
    answer = with_stub(stub, "GET", "/api/version")
    assert (answer.status, answer.json) == (200, {"app": "v8", "model": "v9"})
    assert answer.headers["x-model-version"] == "v9"
    assert [(request.method, request.path) for request in stub.requests] == [("GET", "/version")]


def test_ids_and_traces_go_on_and_nothing_else_does() -> None:
    passed_on = {
        "x-request-id": "id-1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "a=b",
        "b3": "0-1-1",
        "x-b3-traceid": "463ac35c9f6413ad",
        "x-b3-spanid": "a2fb4a1d1a96d312",
        "x-b3-parentspanid": "0020000000000001",
        "x-b3-sampled": "1",
        "x-b3-flags": "0",
    }
    stub = ModelStub()
    private = {"cookie": "session=1", "authorization": "Basic x"}
    answer = predict(stub, headers={**passed_on, **private})
    received = {key.lower(): value for key, value in stub.requests[0].headers.items()}
    for name in ("host", "accept", "content-length", "content-type"):
        received.pop(name)
    assert received == passed_on
    assert answer.headers["x-request-id"] == "id-1"


def test_a_request_without_an_id_gets_one_for_both_services() -> None:
    stub = ModelStub()
    answer = predict(stub)
    assert stub.requests[0].headers["x-request-id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("status", [400, 404, 422, 500, 503])
def test_a_failing_model_service_is_named_with_its_version(status: int) -> None:
    answer = predict(ModelStub(status=status, body="<p>Traceback</p>"))
    assert (answer.status, answer.error) == (502, "model_failed")
    assert answer.headers["x-model-version"] == "v9"
    assert str(status) in answer.json["error"]["reason"]


def test_an_error_of_a_proxy_on_the_way_is_no_version() -> None:
    answer = predict(ModelStub(status=503, headers={}, body="no healthy upstream"))
    assert (answer.status, answer.error) == (502, "model_failed")
    assert "x-model-version" not in answer.headers
    assert answer.headers["x-app-version"] == "v8"


@pytest.mark.parametrize("body", ["", "hello", "[]", "7"])
def test_an_answer_that_is_no_object_is_refused(body: str) -> None:
    answer = predict(ModelStub(body=body))
    assert (answer.status, answer.error) == (502, "model_answer_invalid")
    assert answer.headers["x-model-version"] == "v9"


@pytest.mark.parametrize("headers", [{}, {"x-model-version": ""}, {"x-model-version": "a b"}])
def test_an_answer_without_a_version_is_refused(headers: dict[str, str]) -> None:
    answer = predict(ModelStub(headers=headers))
    assert (answer.status, answer.error) == (502, "model_answer_invalid")
    assert "x-model-version" not in answer.headers


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/predict"), ("GET", "/api/version")])
def test_a_slow_model_service_is_given_up(method: str, path: str) -> None:
    stub = ModelStub(delay=5)
    answer = with_stub(stub, method, path, headers=JSON, body=IMAGE)
    assert (answer.status, answer.error) == (504, "model_timeout")
    assert "0.3 s" in answer.json["error"]["reason"]
    assert "x-model-version" not in answer.headers


def test_a_connection_that_breaks_off_is_an_error() -> None:
    answer = predict(ModelStub(break_off=True))
    assert (answer.status, answer.error) == (502, "model_unreachable")


@pytest.mark.parametrize("host", ["127.0.0.1", "model-service.invalid"])
def test_a_model_service_that_is_not_there(host: str) -> None:
    client = ModelClient(f"http://{host}:{free_port()}", 5)
    answer = asyncio.run(through(client, "GET", "/api/version"))
    assert (answer.status, answer.error) == (502, "model_unreachable")
    assert answer.headers["x-app-version"] == "v8"


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics"])
def test_nothing_else_depends_on_the_model_service(path: str) -> None:
    client = ModelClient(f"http://127.0.0.1:{free_port()}", TIMEOUT)
    answer = asyncio.run(through(client, "GET", path))
    assert answer.status == 200
    assert answer.headers["x-app-version"] == "v8"
    assert "x-model-version" not in answer.headers


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "not_json"),
        (b'{"image": [[NaN]]}', 400, "not_json"),
        (b'{"image": [[1, 2], [3, 4]]}', 422, "invalid_image"),
        (b" " * 20_000, 413, "body_too_large"),
    ],
)
def test_bad_input_never_reaches_the_model_service(body: bytes, status: int, code: str) -> None:
    stub = ModelStub()
    answer = predict(stub, body=[body])
    assert (answer.status, answer.error) == (status, code)
    assert "x-model-version" not in answer.headers
    assert stub.requests == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_predict_takes_post_alone(method: str) -> None:
    answer = with_stub(ModelStub(), method, "/api/predict")
    assert (answer.status, answer.error) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


def test_how_requests_to_the_model_service_ended_is_counted() -> None:
    async def run() -> str:
        async with stub_running(ModelStub()) as stub:
            client = ModelClient(stub.address, TIMEOUT)
            application = make_app("v8", client)
            async with client:
                await ask(application, "GET", "/api/version")
                stub.delay = 5
                await ask(application, "GET", "/api/version")
                return (await ask(application, "GET", "/metrics")).body.decode()

    metrics = asyncio.run(run())
    assert 'model_request_duration_seconds_count{outcome="2xx"} 1.0' in metrics
    assert 'model_request_duration_seconds_count{outcome="timeout"} 1.0' in metrics
