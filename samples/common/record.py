# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known about the request in hand: its id, and fields for its log line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.types import Scope

# What a header may hold before it is copied into logs and further requests.
_SAFE_VALUE = re.compile(r"[\x21-\x7e]{1,256}")

_KEY = "samples.record"


@dataclass(slots=True)
class Record:
    """Facts about one request, gathered while it is answered."""

    request_id: str
    fields: dict[str, object] = field(default_factory=dict)


def attach_record(scope: Scope) -> Record:
    """Give the request a record; its id is the caller's, or a new one."""
    request_id = header(scope["headers"], b"x-request-id") or os.urandom(16).hex()
    record = Record(request_id)
    scope[_KEY] = record
    return record


def record_of(scope: Scope) -> Record:
    """The record that attach_record gave this request."""
    record: Record = scope[_KEY]
    return record


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The header's value if it is there, short and printable."""
    for key, value in headers:
        if key == name:
            text = value.decode("latin-1")
            return text if _SAFE_VALUE.fullmatch(text) else None
    return None
