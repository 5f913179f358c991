# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests at a constant rate while something else is done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

from ansible_collections.roost.cluster.plugins.module_utils.traffic.load import (
    MOST_REQUESTS,
    Plan,
    Sample,
    generate,
)

_LONGEST = 3600.0


class Steady:
    """Sends in the background from entering to leaving; afterwards `samples` has every request."""

    def __init__(self, plan: Plan) -> None:
        self.plan = replace(plan, requests=MOST_REQUESTS, time_limit=_LONGEST)
        self.samples: list[Sample] = []
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Steady:
        self.plan.check()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        stop: Callable[[], bool] = self._stop.is_set
        try:
            self.samples = asyncio.run(generate(self.plan, stop))
        except Exception as error:
            self._error = error
