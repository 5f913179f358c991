# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from urllib.parse import unquote

from ansible_collections.roost.cluster.plugins.module_utils.verify import hpack

METHOD = "/runtime.v1.ImageService/PullImage"

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _CONTINUATION = 0, 1, 3, 4, 6, 7, 9
_ACK = END_STREAM = 1
_END_HEADERS = 4


class CriError(Exception):
    """The runtime gave no answer; the text says which and why."""


@dataclass(frozen=True)
class Pulled:
    """How the runtime answered a pull: with status 0 the image is there."""

    status: int
    message: str


def pull(path: str, image: str, timeout: float) -> Pulled:
    """Ask the container runtime for an image the way the kubelet does.

    The runtime's interface for the kubelet has settings of its own for registries, which its
    command line tool doesn't read. Nodes have no client for it, and Python's standard library no
    gRPC: this is one unary call over HTTP/2, spelled out.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(path)
            connection.sendall(request(image))
            return _answer(connection)
    except socket.timeout:
        raise CriError(f"no answer from {path} within {timeout:g} s") from None
    except OSError as error:
        raise CriError(f"{path}: {error}") from error


def request(image: str) -> bytes:
    """Preface, settings and the one request, as they go over the wire."""
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", METHOD),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    # PullImageRequest{image: ImageSpec{image: NAME}}, both field 1.
    message = _field_1(_field_1(image.encode()))
    body = b"\0" + struct.pack(">I", len(message)) + message
    return (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + _frame(_SETTINGS, 0, 0)
        + _frame(_HEADERS, _END_HEADERS, 1, hpack.encode(headers))
        + _frame(_DATA, END_STREAM, 1, body)
    )


def _field_1(value: bytes) -> bytes:
    if len(value) > 127:
        raise CriError(f"image name too long: {value.decode()}")
    return bytes([0x0A, len(value)]) + value


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _answer(connection: socket.socket) -> Pulled:
    """Read frames until the call's stream ends; its status is in the last headers."""
    block = b""
    fields: dict[str, str] = {}
    ended = False
    while True:
        kind, flags, payload = _receive(connection)
        if kind in (_SETTINGS, _PING) and not flags & _ACK:
            reply = payload if kind == _PING else b""
            connection.sendall(_frame(kind, _ACK, 0, reply))
        elif kind in (_HEADERS, _CONTINUATION):
            block += payload
            ended = ended or (kind == _HEADERS and bool(flags & END_STREAM))
            if flags & _END_HEADERS:
                fields.update(hpack.decode(block))
                block = b""
                if ended:
                    return _status(fields)
        elif kind in (_RESET, _GOAWAY):
            raise CriError(f"the runtime ended the call: {payload[8:].decode('utf-8', 'replace')}")


def _status(fields: dict[str, str]) -> Pulled:
    if not fields.get("grpc-status", "").isdigit():
        raise CriError(f"an answer without grpc-status: {fields}")
    return Pulled(int(fields["grpc-status"]), unquote(fields.get("grpc-message", "")))


def _receive(connection: socket.socket) -> tuple[int, int, bytes]:
    head = _exactly(connection, 9)
    length = int.from_bytes(head[:3], "big")
    return head[3], head[4], _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise CriError("the runtime closed the connection")
        data += more
    return data
