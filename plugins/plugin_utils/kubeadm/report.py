# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the actions control_plane and worker answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Change = Mapping[str, Any]


def with_changes(result: Mapping[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """A module's result with the changes that were decided on the controller, and a diff of all."""
    every = [*result["changes"], *changes]
    return {
        **result,
        "changed": bool(every),
        "changes": every,
        "diff": [diff(change) for change in every],
    }


def diff(change: Change) -> dict[str, str]:
    """A change as Ansible prints it."""
    if "before" not in change:
        return {"prepared": f"{change['what']}: {change['why']}\n"}
    return {
        "before_header": f"{change['what']} (now)",
        "after_header": f"{change['what']} ({change['why']})",
        "before": _line(change["before"]),
        "after": _line(change["after"]),
    }


def _line(value: Any) -> str:
    return "" if value is None else f"{value}\n"


def refusal(problems: Sequence[str]) -> dict[str, Any]:
    return {"failed": True, "msg": "nothing was changed, because:\n" + "\n".join(problems)}


def is_recovery(result: Mapping[str, Any]) -> bool:
    """Whether a control plane is there that a check run could not ask."""
    return any(
        change["what"] in ("control plane: recover", "control plane: finish")
        for change in result["changes"]
    )
