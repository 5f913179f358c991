# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

# As much of HPACK (RFC 7541) as one gRPC call on a fresh connection needs: we send literals only,
# and read literals whose names are spelled out, as grpc-status and grpc-message are.

# Code length of each byte in the RFC's Huffman code, two hexadecimal digits each. The code is
# canonical, so the lengths determine it.
_LENGTHS = bytes.fromhex(
    "0d171c1c1c1c1c1c1c181e1c1c1e1c1c1c1c1c1c1c1c1e1c1c1c1c1c1c1c1c1c"
    "060a0a0c0d06080b0a0a080b080606060505050606060606060607080f060c0a"
    "0d06070707070707070707070707070707070707070707070807080d130d0e06"
    "0f05060506050606060507070606060506070605050607070707070f0b0e0d1c"
    "141614141616161716171717171718171818161718171717171516171617171"
    "8161514161617171517161718151617171515161517161717141616161716161"
    "71a1a1413161716191a1a1a1b1b1a181913151a1b1b1a1b1815151a1a1c1b1b1"
    "b14181415161515171616191918181a171a1b1a1a1b1b1b1b1b1c1b1b1b1b1b1a"
)
_END_LENGTH = 30


def _codes() -> dict[tuple[int, int], int]:
    """Byte for each (length, code); the end symbol is left out, for it never ends a string."""
    codes: dict[tuple[int, int], int] = {}
    code = previous = 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(_LENGTHS)):
        code <<= length - previous
        codes[(length, code)] = symbol
        code, previous = code + 1, length
    return codes


def huffman(data: bytes) -> bytes:
    codes = _codes()
    found = bytearray()
    length = code = 0
    for byte in data:
        for shift in range(7, -1, -1):
            code, length = code << 1 | (byte >> shift & 1), length + 1
            symbol = codes.get((length, code))
            if symbol is not None:
                found.append(symbol)
                length = code = 0
            elif length > _END_LENGTH:
                raise ValueError("not a Huffman-coded string")
    return bytes(found)


def encode(headers: list[tuple[str, str]]) -> bytes:
    block = bytearray()
    for pair in headers:
        block.append(0)
        for text in pair:
            data = text.encode()
            if len(data) > 126:
                raise ValueError(f"header too long: {text}")
            block.append(len(data))
            block += data
    return bytes(block)


def decode(block: bytes) -> dict[str, str]:
    """The fields with spelled-out names; what refers to a table is passed over."""
    fields: dict[str, str] = {}
    at = 0
    while at < len(block):
        first = block[at]
        if first & 0x80:
            _index, at = _integer(block, at, 7)
        elif first & 0xE0 == 0x20:
            _index, at = _integer(block, at, 5)
        else:
            index, at = _integer(block, at, 6 if first & 0x40 else 4)
            name = b""
            if index == 0:
                name, at = _string(block, at)
            value, at = _string(block, at)
            if name:
                fields[name.decode()] = value.decode("utf-8", "replace")
    return fields


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    most = (1 << bits) - 1
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    shift = 0
    while True:
        value += (block[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not block[at - 1] & 0x80:
            return value, at


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    coded = bool(block[at] & 0x80)
    length, at = _integer(block, at, 7)
    data = block[at : at + length]
    return (huffman(data) if coded else data), at + length
