# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Arguments that control_plane and worker take alike."""

from __future__ import annotations

from typing import Any

MARKS: dict[str, Any] = {
    "labels": {"type": "dict", "default": {}},
    "taints": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "key": {"type": "str", "required": True, "no_log": False},
            "value": {"type": "str", "default": ""},
            "effect": {
                "type": "str",
                "choices": ["NoSchedule", "PreferNoSchedule", "NoExecute"],
                "required": True,
            },
        },
    },
}
