# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Logs: one JSON object a line on standard output."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO


class JsonFormatter(logging.Formatter):
    """A log record as JSON; `extra={"fields": {...}}` adds to it."""

    def __init__(self, service: str, version: str) -> None:
        super().__init__()
        self._identity = {"service": service, "version": version}

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, object] = {
            "time": time,
            "level": record.levelname.lower(),
            **self._identity,
            "message": record.getMessage(),
        }
        entry.update(getattr(record, "fields", {}))
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def log_to(stream: TextIO, service: str, version: str) -> None:
    """Send every logger of the process, the server's too, to the stream as JSON."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(service, version))
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.INFO)
    # Neither is written, and to look each up costs time in every log call.
    logging.logThreads = False
    logging.logProcesses = False


def log_to_stdout(service: str, version: str) -> None:
    """What a container does: the runtime collects standard output."""
    log_to(sys.stdout, service, version)
