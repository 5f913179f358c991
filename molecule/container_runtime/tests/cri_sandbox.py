# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs on a node: asks the container runtime for a pod's sandbox, as kubelet does.

    run NAME SLICE    make one in the machine's network, and print its id
    remove ID

The runtime's interface for kubelet has settings of its own, which ctr doesn't read, and nodes have
no client for it: these are unary gRPC calls, spelled out with the standard library.
"""

from __future__ import annotations

import socket
import struct
import sys

SOCKET = "/run/containerd/containerd.sock"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
ACK = END_STREAM = 1
END_HEADERS = 4
NETWORK_OF_THE_NODE = 2


def text(number: int, value: str) -> bytes:
    """A field of a protocol buffer."""
    return message(number, value.encode())


def message(number: int, value: bytes) -> bytes:
    assert len(value) < 128
    return bytes([number << 3 | 2, len(value)]) + value


def integer(number: int, value: int) -> bytes:
    return bytes([number << 3, value])


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header(name: str, value: str) -> bytes:
    """Neither compressed nor remembered."""
    return b"".join([b"\0", *(bytes([len(each)]) + each.encode() for each in (name, value))])


def call(method: str, request: bytes) -> bytes:
    """What the runtime answers; nothing if it refuses."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": f"/runtime.v1.RuntimeService/{method}",
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(60)
        connection.connect(SOCKET)
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + frame(SETTINGS, 0, 0)
            + frame(HEADERS, END_HEADERS, 1, b"".join(header(*each) for each in headers.items()))
            + frame(DATA, END_STREAM, 1, b"\0" + struct.pack(">I", len(request)) + request)
        )
        return answer(connection)


def answer(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as stream:
        body = b""
        while True:
            head = stream.read(9)
            kind, flags = head[3], head[4]
            payload = stream.read(int.from_bytes(head[:3], "big"))
            if kind in (SETTINGS, PING) and not flags & ACK:
                connection.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
            elif kind == DATA:
                body += payload
            elif kind in (RESET, GOAWAY):
                sys.exit(f"the runtime ended the call: {payload!r}")
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                return body[5:]


def run(name: str, parent: str) -> str:
    metadata = message(1, text(1, name) + text(2, f"{name}-uid") + text(3, "roost"))
    security = message(2, message(1, integer(1, NETWORK_OF_THE_NODE)))
    linux = message(8, text(1, parent) + security)
    created = call("RunPodSandbox", message(1, metadata + linux))
    if not created:
        sys.exit("the runtime made no sandbox; the journal of containerd says why")
    return created[2:].decode()


def remove(identity: str) -> None:
    call("StopPodSandbox", text(1, identity))
    call("RemovePodSandbox", text(1, identity))


if __name__ == "__main__":
    if sys.argv[1] == "run":
        print(run(sys.argv[2], sys.argv[3]))
    else:
        remove(sys.argv[2])
