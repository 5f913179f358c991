# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a machine answers: only a greeting of SSH counts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.roost.cluster.plugins.modules.machines_answer import (
    place,
    problem,
    verdict,
)


@contextmanager
def server(greeting: bytes) -> Iterator[int]:
    """A server on 127.0.0.1 that greets one client; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            client, _ = listening.accept()
            with client:
                client.sendall(greeting)

        thread = threading.Thread(target=greet)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def machine(port: int | None, address: str = "127.0.0.1", ssh_args: str = "") -> dict[str, object]:
    return {"name": "control", "address": address, "port": port, "ssh_args": ssh_args}


def test_a_machine_that_greets_answers() -> None:
    with server(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        assert problem(machine(port), 2) == ""


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n"])
def test_what_is_no_ssh_server_does_not(greeting: bytes) -> None:
    with server(greeting) as port:
        assert "control (127.0.0.1:" in problem(machine(port), 2)


def test_a_closed_port_is_named() -> None:
    with socket.socket() as held:
        # Bound and not listening: it refuses, and nobody else gets it meanwhile.
        held.bind(("127.0.0.1", 0))
        assert "refused" in problem(machine(held.getsockname()[1]), 2)


def test_it_is_looked_for_where_ssh_finds_it(tmp_path: Path) -> None:
    """As with an alias of one's own SSH configuration."""
    with server(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        settings = tmp_path / "config"
        settings.write_text(f"Host rack-7\n  HostName 127.0.0.1\n  Port {port}\n")
        assert place(machine(None, "rack-7", f"-F {settings}")) == ("127.0.0.1", port)
        assert problem(machine(None, "rack-7", f"-F {settings}"), 2) == ""


def test_one_behind_another_machine_is_not_asked() -> None:
    for way in ("-J ops@gate", "-o ProxyCommand='ssh -W %h:%p gate'"):
        assert place(machine(22, "192.0.2.1", way)) is None
        assert problem(machine(22, "192.0.2.1", way), 0.1) == ""


REFUSED = "worker-1 (192.168.56.101:22): Connection refused"


@pytest.mark.parametrize(
    ("problems", "words"),
    [
        ({"control": "", "worker-1": ""}, []),
        ({"control": "", "worker-1": REFUSED}, []),
        ({"control": "control: silent", "worker-1": ""}, ["without control", "control: silent"]),
        ({"control": "a", "worker-1": "b"}, ["no machine", "`make start`", "\na\nb"]),
    ],
)
def test_only_what_everything_needs_ends_the_run(
    problems: dict[str, str], words: list[str]
) -> None:
    text = verdict(problems, ["control"], "make start")
    assert bool(text) == bool(words)
    assert [word for word in words if word not in text] == []
