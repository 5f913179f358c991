# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is notified of a rollout: a receiver on this machine, which fails at first."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.rollout.conftest import QUICK, file, playbook, rollout, state, traffic

pytestmark = pytest.mark.usefixtures("release")


class Receiver(ThreadingHTTPServer):
    """Answers 500 to the first message, and 200 from then on."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        # Status given → what was posted, in their order.
        self.taken: list[tuple[int, str, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    @property
    def delivered(self) -> list[dict[str, Any]]:
        return [body for status, _kind, body in self.taken if status == 200]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = 200 if self.server.taken else 500
        self.server.taken.append((status, self.headers["Content-Type"], body))
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_said: Any) -> None:
        """Nothing: it would stand between the lines of the playbook."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_who_is_notified_learns_of_the_start_each_step_and_the_verdict() -> None:
    with receiver() as there, traffic(50.0):
        described = file(rollout=QUICK, notify={"url": there.url, "attempts": 3})
        assert rollout("v2", release=described).code == 0
        found = state()
    first, again = there.taken[:2]
    assert [first[0], again[0]] == [500, 200]
    assert first[2] == again[2], "what was not delivered is sent again"
    assert {kind for _status, kind, _body in there.taken} == {"application/json"}
    assert [(body["event"], body["weight"], body["outcome"]) for body in there.delivered] == [
        ("begun", 10, "running"),
        ("step", 25, "running"),
        ("step", 50, "running"),
        ("verdict", 100, "promoted"),
    ]
    assert {body["id"] for body in there.delivered} == {found.id}
    assert there.delivered[-1]["reason"] == found.reason


def test_a_decision_of_a_person_is_a_verdict_too_and_no_receiver_holds_it_up() -> None:
    with receiver() as there:
        address = there.url
    # Nobody listens there any more.
    gone = playbook("rollback", release=file(notify={"url": address, "attempts": 2}))
    assert gone.code == 0
    assert "127.0.0.1 was not notified of 'verdict' in 2 attempts" in gone.said
    assert state().outcome == "rolled back"
