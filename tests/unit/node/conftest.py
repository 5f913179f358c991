# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node.core import Done, Node

from tests.unit.node.helpers import BlobHandler, Store


class Commands:
    """Plays the external commands: answers by their first words, and remembers what was run."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, ...], Done] = {}
        self.ran: list[tuple[str, ...]] = []

    def answer(self, *words: str, out: str = "", err: str = "", rc: int = 0) -> None:
        self.answers[words] = Done(rc, out, err)

    def __call__(self, argv: Sequence[str], timeout: float) -> Done:
        self.ran.append(tuple(argv))
        fitting = [words for words in self.answers if tuple(argv[: len(words)]) == words]
        if not fitting:
            return Done(0, "", "")
        return self.answers[max(fitting, key=len)]


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def node(tmp_path: Path, commands: Commands) -> Node:
    """A machine whose root is a temporary directory and whose commands are played."""
    root = tmp_path / "machine"
    root.mkdir()
    return Node(root=root, run=commands)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def registry() -> Iterator[BlobHandler]:
    """A real HTTP server on the loopback address that serves blobs, and lies where it is told."""
    handler = type("Handler", (BlobHandler,), {"blobs": {}, "faults": {}, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    handler.address = f"http://127.0.0.1:{server.server_port}"
    yield handler  # type: ignore[misc]
    server.shutdown()
    server.server_close()
    thread.join()
