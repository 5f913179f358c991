# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

RTM_GETADDR, RTM_NEWADDR, NLMSG_DONE, NLMSG_ERROR = 22, 20, 3, 2
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
IFA_ADDRESS, IFA_LOCAL = 1, 2
HEADER, ADDRESS, ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBBBI"), struct.Struct("=HH")


def addresses() -> list[tuple[str, str, int]]:
    """Interface, IPv4 address and prefix length of every address of this machine.

    Asked of the kernel itself, because a bare machine need not have ip(8).
    """
    request = ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0)
    header = HEADER.pack(HEADER.size + len(request), RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
    found = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(5)
        kernel.send(header + request)
        done = False
        while not done:
            for kind, body in messages(kernel.recv(1 << 16)):
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    done = True
                elif kind == RTM_NEWADDR:
                    index, address, prefix = parse_address(body)
                    if address:
                        found.append((_interface(index), address, prefix))
    return found


def _interface(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return f"if{index}"


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages in what the kernel sent, as their types and bodies."""
    while len(data) >= HEADER.size:
        length, kind, _flags, _sequence, _process = HEADER.unpack_from(data)
        if length < HEADER.size:
            return
        yield kind, data[HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def parse_address(body: bytes) -> tuple[int, str, int]:
    """Interface index, address and prefix length in one message."""
    _family, prefix, _flags, _scope, index = ADDRESS.unpack_from(body)
    attributes, rest = {}, body[ADDRESS.size :]
    while len(rest) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(rest)
        if length < ATTRIBUTE.size:
            break
        attributes[kind] = rest[ATTRIBUTE.size : length]
        rest = rest[(length + 3) & ~3 :]
    # On a point-to-point link IFA_ADDRESS is the other end's.
    address = attributes.get(IFA_LOCAL) or attributes.get(IFA_ADDRESS) or b""
    return index, socket.inet_ntoa(address) if len(address) == 4 else "", prefix
