# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node.core import Node
from ansible_collections.roost.cluster.plugins.module_utils.node.store_layout import (
    Contents,
    contents,
)

from tests.unit.node.helpers import PILOT, BlobHandler, Commands, Store


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
def bundle(store: Store) -> Contents:
    """A small bundle: one file and one image."""
    store.file("kubelet", "v1.36.3", b"\x7fELF kubelet" * 99)
    store.image("pilot", PILOT, "1.31.0", [b"layer one", b"layer two"])
    return contents(store.root, store.components)


@pytest.fixture
def registry() -> Iterator[type[BlobHandler]]:
    """A real HTTP server on the loopback address that serves blobs, and lies where it is told."""

    class Handler(BlobHandler):
        blobs: ClassVar[dict[str, bytes]] = {}
        faults: ClassVar[dict[str, list[str]]] = {}
        asked: ClassVar[list[str]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    Handler.address = f"http://127.0.0.1:{server.server_port}"
    yield Handler
    server.shutdown()
    server.server_close()
    thread.join()
