# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.verify import cri, hpack

IMAGE = "192.0.2.1:5000/roost/absent:1"
NOT_FOUND = (
    f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": '
    f"{IMAGE}: not found"
)
# What containerd 1.6.20 sent for this image: settings, ping, and the headers that end the call.
ANSWER = bytes.fromhex(
    "00000604000000000000050000400000000004010000000000000408000000000000000026000008060000000000"
    "02041010090e070700009c010500000001885f8b1d75d0620d263d4c4d656440889acac8b21234da8f013540899a"
    "cac8b5254207317ff69466a0b22893a95db450a0ea914b6aac64eaa1a91cc553f90be25c0b8970dc6c0003161ce8"
    "4b038d05a93703fcdc52519a82c8a24ea58541e8ee552c2ca5b0b510aa7f217c4b81712e1b8d800062c39d096071"
    "a0b526e07f9b8a05f12e05c4b86e3600018b0e742581c682d49b81b8a5474a929edaa4"
)


@contextmanager
def runtime(path: Path, answer: bytes, received: list[bytes]) -> Iterator[str]:
    """Something that listens where containerd does, and plays the answer."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                received.append(connection.recv(65536))
                connection.sendall(answer)
                connection.settimeout(1)
                while connection.recv(65536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield str(path)
        finally:
            thread.join()


def frame(kind: int, flags: int, payload: bytes) -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + (1).to_bytes(4, "big") + payload


def test_a_recorded_refusal(tmp_path: Path) -> None:
    received: list[bytes] = []
    with runtime(tmp_path / "s", ANSWER, received) as path:
        assert cri.pull(path, IMAGE, 5) == cri.Pulled(5, NOT_FOUND)
    assert received[0].startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert b"/runtime.v1.ImageService/PullImage" in received[0]
    assert received[0].endswith(b"\n\x1f\n\x1d" + IMAGE.encode())


def test_a_pull_that_worked_is_told_apart(tmp_path: Path) -> None:
    answer = (
        frame(1, 4, hpack.encode([("content-type", "application/grpc")]))
        + frame(0, 0, b"\0\0\0\0\0")
        + frame(1, 5, hpack.encode([("grpc-status", "0")]))
    )
    with runtime(tmp_path / "s", answer, []) as path:
        assert cri.pull(path, IMAGE, 5) == cri.Pulled(0, "")


def test_headers_may_come_in_parts(tmp_path: Path) -> None:
    block = hpack.encode([("grpc-status", "5"), ("grpc-message", "a%20b")])
    answer = frame(1, 1, block[:7]) + frame(9, 4, block[7:])
    with runtime(tmp_path / "s", answer, []) as path:
        assert cri.pull(path, IMAGE, 5) == cri.Pulled(5, "a b")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (frame(3, 0, b"\0\0\0\x07"), "ended the call"),
        (frame(1, 5, hpack.encode([("x", "y")])), "without grpc-status"),
        (b"", "no answer .* within"),
    ],
)
def test_no_usable_answer_says_why(tmp_path: Path, answer: bytes, message: str) -> None:
    with (
        runtime(tmp_path / "s", answer, []) as path,
        pytest.raises(cri.CriError, match=message),
    ):
        cri.pull(path, IMAGE, 0.3)


def test_a_missing_socket_is_named(tmp_path: Path) -> None:
    with pytest.raises(cri.CriError, match="absent.sock"):
        cri.pull(str(tmp_path / "absent.sock"), IMAGE, 1)


@pytest.mark.parametrize(
    ("coded", "text"),
    [
        # RFC 7541, C.4 and C.6.
        ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
        ("a8eb10649cbf", "no-cache"),
        ("6402", "302"),
        ("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
    ],
)
def test_huffman_code_of_the_rfc(coded: str, text: str) -> None:
    assert hpack.huffman(bytes.fromhex(coded)) == text.encode()


def test_fields_with_names_from_tables_are_passed_over() -> None:
    # :status 200 (indexed), content-type (name indexed), then a field spelled out.
    block = bytes.fromhex("885f00") + hpack.encode([("grpc-status", "5")])
    assert hpack.decode(block) == {"grpc-status": "5"}


def test_a_long_value_has_a_length_of_several_bytes() -> None:
    value = b"x" * 300
    block = b"\0\x01a" + bytes([0x7F, 300 - 127 & 0x7F | 0x80, 300 - 127 >> 7]) + value
    assert hpack.decode(block) == {"a": "x" * 300}
