# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The model-service's API, in the test's own process and as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest
from starlette.applications import Starlette

from samples.common.tests.asgi import JSON, ZERO, asked
from samples.common.tests.processes import Service, running
from samples.model_service.model import Model
from samples.model_service.service import make_model_service


@pytest.fixture
def service(model_files: dict[str, Path]) -> Starlette:
    return make_model_service(Model.load(model_files["v2"]))


def test_a_digit_is_classified(service: Starlette) -> None:
    body = json.dumps({"image": ZERO}).encode()
    answer = asked(service, "POST", "/predict", headers=JSON, body=[body])
    assert answer.status == 200
    assert answer.headers["x-model-version"] == answer.json["version"] == "v2"
    assert answer.json["digit"] == 0
    assert len(answer.json["probabilities"]) == 10
    assert sum(answer.json["probabilities"]) == pytest.approx(1, abs=1e-4)
    assert answer.json["probabilities"][0] == max(answer.json["probabilities"])


def test_the_version_comes_with_its_accuracy(service: Starlette) -> None:
    answer = asked(service, "GET", "/version")
    assert answer.headers["x-model-version"] == answer.json["version"] == "v2"
    assert 0.9 < answer.json["held_out_accuracy"] < 1
    assert answer.json["held_out"] == 899


def test_a_wrong_image_is_refused_by_the_version_that_got_it(service: Starlette) -> None:
    answer = asked(service, "POST", "/predict", headers=JSON, body=[b'{"image": []}'])
    assert (answer.status, answer.error) == (422, "invalid_image")
    assert answer.headers["x-model-version"] == "v2"


def test_answers_are_counted_by_digit(service: Starlette) -> None:
    body = json.dumps({"image": ZERO}).encode()
    asked(service, "POST", "/predict", headers=JSON, body=[body])
    metrics = asked(service, "GET", "/metrics").body.decode()
    assert 'predictions_total{digit="0"} 1.0' in metrics


def test_a_request_in_flight_is_answered_before_the_end(model_files: dict[str, Path]) -> None:
    body = json.dumps({"image": ZERO}).encode()
    head = (
        "POST /predict HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()

    async def stop_between_head_and_body(service: Service) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(head + body[:10])
        await writer.drain()
        await asyncio.sleep(0.3)
        service.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        writer.write(body[10:])
        answer = await asyncio.wait_for(reader.read(), 10)  # Up to the end of the connection.
        writer.close()
        return answer

    with running("model_service", MODEL_FILE=str(model_files["v1"])) as service:
        answer = asyncio.run(stop_between_head_and_body(service))
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"x-model-version: v1\r\n" in answer
        assert service.process.wait(10) == 0
        assert service.logs()[-1]["message"].startswith("Finished server process")


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"MODEL_FILE": "/absent/model.json"}, "there is no model at /absent/model.json"),
        ({"SHUTDOWN_SECONDS": "soon"}, "SHUTDOWN_SECONDS is 'soon'; set a number"),
    ],
)
def test_it_does_not_start_with_a_wrong_setting(
    model_files: dict[str, Path], environment: dict[str, str], reason: str
) -> None:
    settings = {"MODEL_FILE": str(model_files["v1"]), **environment}
    with pytest.raises(RuntimeError) as caught, running("model_service", **settings):
        pass
    assert reason in str(caught.value)
    assert "Traceback" not in str(caught.value)
