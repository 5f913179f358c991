# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A service as a process of its own, as in a container."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).resolve().parents[3]
START_SECONDS = 20.0
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Service:
    """A running service."""

    process: subprocess.Popen[bytes]
    port: int
    output: IO[bytes]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> int:
        """End it as a container is ended; its exit status."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)

    def logs(self) -> list[dict[str, Any]]:
        """Its log, complete once it has ended; every line must be JSON."""
        self.output.seek(0)
        return [json.loads(line) for line in self.output.read().splitlines()]


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(module: str, **environment: str) -> Iterator[Service]:
    """Start `python -m samples.MODULE`, wait until it answers, end it afterwards."""
    port = free_port()
    variables = {**os.environ, "HOST": "127.0.0.1", "PORT": str(port), **environment}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", f"samples.{module}"],
            cwd=REPOSITORY,
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        service = Service(process, port, output)
        try:
            _wait_until_healthy(service)
            yield service
        finally:
            try:
                service.stop()
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def _wait_until_healthy(service: Service) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{service.address}/healthz", timeout=1):
                return
        except OSError:
            if service.process.poll() is not None or time.monotonic() > deadline:
                service.output.seek(0)
                raise RuntimeError(f"no start: {service.output.read().decode()}") from None
            time.sleep(0.05)
