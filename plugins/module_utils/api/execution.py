# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a command in a container ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Executed:
    """Without a code the command never ran or never ended, and the errors say why."""

    code: int | None
    output: str = ""
    errors: str = ""
    missing: bool = False
    """The image has no such command."""

    @property
    def text(self) -> str:
        """All that there is to show, the errors last."""
        return self.output + self.errors


def executed(status: str, output: str = "", errors: str = "") -> Executed:
    """Read the status with which the API server ends an exec, or a text in its place."""
    try:
        answer = json.loads(status)
    except ValueError:
        return Executed(None, output, errors or status)
    if answer.get("status") == "Success":
        return Executed(0, output, errors)
    code = _exit_code(answer)
    if code is not None:
        return Executed(code, output, errors, missing=code == 127)
    message = str(answer.get("message", status))
    return Executed(None, output, errors or message, missing=_names_missing_file(message))


def _exit_code(answer: dict[str, Any]) -> int | None:
    for cause in answer.get("details", {}).get("causes", []):
        if cause.get("reason") == "ExitCode" and str(cause.get("message", "")).isdigit():
            return int(cause["message"])
    return None


def _names_missing_file(message: str) -> bool:
    return "executable file not found" in message or "no such file or directory" in message
