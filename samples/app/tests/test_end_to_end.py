# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Both services as processes, over the loopback interface."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from samples.app.tests.model_stub import ModelStub, stub_running
from samples.common.tests.asgi import ZERO
from samples.common.tests.processes import running
from samples.model_service.train import Split


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_held_out_digits_are_read_through_both(
    model_files: dict[str, Path], split: Split, version: str
) -> None:
    count = 100
    images = (split.test_inputs[:count] * 16).reshape(-1, 8, 8).tolist()

    async def read_all(address: str) -> int:
        right = 0
        async with aiohttp.ClientSession(address) as session:
            for image, digit in zip(images, split.test_digits, strict=False):
                async with session.post("/api/predict", json={"image": image}) as response:
                    assert response.status == 200
                    assert response.headers["x-app-version"] == "dev"
                    assert response.headers["x-model-version"] == version
                    right += (await response.json())["digit"] == digit
        return right

    with (
        running("model_service", MODEL_FILE=str(model_files[version])) as model,
        running("app", MODEL_SERVICE_URL=model.address) as app,
    ):
        assert asyncio.run(read_all(app.address)) >= 0.85 * count
        assert (app.stop(), model.stop()) == (0, 0)
        by_app = {line["request_id"] for line in app.logs() if line["message"] == "request"}
        by_model = {line["request_id"] for line in model.logs() if line["message"] == "request"}
        assert by_app == by_model
        assert len(by_app) == count


def test_the_app_finishes_what_it_began_and_ends_well() -> None:
    async def stop_in_the_middle() -> None:
        async with stub_running(ModelStub(delay=1.0)) as stub:
            settings = {"MODEL_SERVICE_URL": stub.address, "MODEL_TIMEOUT_SECONDS": "5"}
            with running("app", **settings) as app:
                async with aiohttp.ClientSession(app.address) as session:
                    body = {"image": ZERO}
                    question = asyncio.create_task(session.post("/api/predict", json=body))
                    await asyncio.sleep(0.4)
                    app.process.send_signal(signal.SIGTERM)
                    await asyncio.sleep(0.2)
                    with pytest.raises(aiohttp.ClientConnectorError):
                        await session.get("/healthz")
                    response = await question
                    assert response.status == 200
                    assert (await response.json())["digit"] == 4
                code = await asyncio.to_thread(app.process.wait, 10)
                assert code == 0
                assert app.logs()[-1]["message"].startswith("Finished server process")

    asyncio.run(stop_in_the_middle())


def test_a_wrong_address_is_named_before_the_start() -> None:
    with (
        pytest.raises(RuntimeError, match="MODEL_SERVICE_URL is 'nowhere'; set an address"),
        running("app", MODEL_SERVICE_URL="nowhere"),
    ):
        pass
