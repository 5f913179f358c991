# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import http.client
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Notify
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import notify
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import (
    Document,
    Pair,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.notify import Notifier

DOCUMENT = Document(
    id="abcd1234",
    release="digits",
    namespace="digits",
    who="ann@desk",
    began="2026-11-28T12:00:00.000Z",
    stable=Pair("v1", {}),
    canary=Pair("v2", {}),
    settings={},
)


class Hook(http.server.BaseHTTPRequestHandler):
    """Answers with what the test lists, then with 200; keeps what it gets."""

    answers: list[int] = []
    got: list[Any] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.answers.pop(0) if self.answers else 200)
        self.end_headers()

    def log_message(self, *_said: Any) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Hook.answers, Hook.got = [], []
    server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook/secret"
    server.shutdown()
    thread.join()
    server.server_close()


def send(url: str, *events: str, attempts: int = 3) -> tuple[list[str], list[float]]:
    """What was told, and the pauses between attempts."""
    told: list[str] = []
    pauses: list[float] = []
    settings = Notify(url, attempts, 2)
    with Notifier(settings, told.append, sleep=pauses.append) as notifier:
        for event in events:
            notifier.notify(event, DOCUMENT)
    return told, pauses


def test_messages_come_in_order_as_json(url: str) -> None:
    assert send(url, notify.BEGUN, notify.STEP, notify.VERDICT) == ([], [])
    assert [body["event"] for _path, _kind, body in Hook.got] == ["begun", "step", "verdict"]
    path, kind, body = Hook.got[0]
    assert (path, kind) == ("/hook/secret", "application/json")
    assert (body["release"], body["canary"], body["outcome"]) == ("digits", "v2", "running")


def test_an_answer_of_failure_is_tried_again(url: str) -> None:
    Hook.answers = [500, 503]
    told, pauses = send(url, notify.BEGUN)
    assert told == []
    assert len(Hook.got) == 3
    assert pauses == [0.5, 1.0]


def test_a_hook_that_fails_for_good_is_reported_without_its_secret_and_the_next_one_is_sent(
    url: str,
) -> None:
    Hook.answers = [500, 500]
    told, _pauses = send(url, notify.BEGUN, notify.VERDICT, attempts=2)
    assert told == [
        "127.0.0.1 was not notified of 'begun' in 2 attempts: it answers 500; the rollout goes on"
    ]
    assert Hook.got[-1][2]["event"] == "verdict"


@pytest.mark.parametrize(
    "trouble",
    [
        http.client.InvalidURL("URL can't contain control characters. '/hook/secret'"),
        http.client.BadStatusLine("garbage"),
        ValueError("unknown url type: /hook/secret"),
    ],
)
def test_what_is_no_http_is_reported_without_the_secret_and_the_next_one_is_sent(
    trouble: Exception,
) -> None:
    told: list[str] = []
    sent: list[str] = []

    def send_once(_url: str, body: bytes, _timeout: float) -> None:
        event = json.loads(body)["event"]
        if event == notify.BEGUN:
            raise trouble
        sent.append(event)

    settings = Notify("https://hooks.example/hook/secret", 1)
    with Notifier(settings, told.append, send_once) as notifier:
        notifier.notify(notify.BEGUN, DOCUMENT)
        notifier.notify(notify.VERDICT, DOCUMENT)
    assert sent == ["verdict"]
    assert len(told) == 1
    assert told[0].startswith("hooks.example was not notified of 'begun'")
    assert "secret" not in told[0]


def test_nobody_listening_holds_nothing_up() -> None:
    told, _pauses = send("http://127.0.0.1:1/", notify.BEGUN)
    assert len(told) == 1
    assert "Connection refused" in told[0]


def test_without_an_address_nothing_is_sent() -> None:
    told: list[str] = []
    with Notifier(None, told.append) as notifier:
        notifier.notify(notify.BEGUN, DOCUMENT)
    assert told == []
