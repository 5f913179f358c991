# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells others of a rollout by a webhook, and never holds it up."""

from __future__ import annotations

import http.client
import json
import queue
import threading
import time
import urllib.error
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.urls import open_url
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Notify
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import Document

BEGUN, STEP, VERDICT = "begun", "step", "verdict"
_FIRST_PAUSE = 0.5

# Sends a body to an address and waits so many seconds for an answer; raises OSError.
Send = Callable[[str, bytes, float], None]


def post(url: str, body: bytes, timeout: float) -> None:
    headers = {"Content-Type": "application/json"}
    with open_url(url, body, headers, "POST", timeout=timeout, http_agent="roost") as answer:
        answer.read(1)


def message(event: str, document: Document, weight: int) -> dict[str, Any]:
    """What is sent: enough to say in one line what happened."""
    return {
        "event": event,
        "id": document.id,
        "release": document.release,
        "namespace": document.namespace,
        "who": document.who,
        "stable": document.stable.version,
        "canary": document.canary.version,
        "weight": weight,
        "outcome": document.outcome,
        "reason": document.reason,
        "began": document.began,
        "ended": document.ended,
    }


class Notifier:
    """Sends messages in their order from a thread of its own. One that can't be delivered is told
    of, and nothing else comes of it."""

    def __init__(
        self,
        settings: Notify | None,
        tell: Callable[[str], None],
        send: Send = post,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings, self._tell, self._send, self._sleep = settings, tell, send, sleep
        self._waiting: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Notifier:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """All that is waiting is sent first; the attempts have an end."""
        self._waiting.put(None)
        self._thread.join()

    def notify(self, event: str, document: Document, weight: int | None = None) -> None:
        """`weight` is the canary's, where the document doesn't know it yet."""
        if self._settings is not None:
            known = document.weight if weight is None else weight
            self._waiting.put(message(event, document, known))

    def _work(self) -> None:
        while True:
            block = self._waiting.get()
            if block is None or self._settings is None:
                return
            self._deliver(self._settings, block)

    def _deliver(self, settings: Notify, block: Mapping[str, Any]) -> None:
        body = json.dumps(block).encode()
        problem = ""
        for attempt in range(settings.attempts):
            if attempt:
                self._sleep(_FIRST_PAUSE * 2 ** (attempt - 1))
            try:
                self._send(settings.url, body, settings.timeout_seconds)
                return
            except urllib.error.HTTPError as error:
                problem = f"it answers {error.code}"
            except OSError as error:
                problem = str(error)
            except (ValueError, http.client.HTTPException) as error:
                # Its text may have the address in it.
                problem = f"no request or answer as by HTTP ({type(error).__name__})"
        # The rest of the address may be a secret.
        host = urlsplit(settings.url).hostname
        self._tell(
            f"{host} was not notified of '{block['event']}' in {settings.attempts} attempts: "
            f"{problem}; the rollout goes on"
        )
