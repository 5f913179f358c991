# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Copies the administrator's kubeconfig to the controller, readable by its owner only."""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

ARGUMENTS = {
    "src": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
    "dest": {"type": "path", "required": True},
}


class ActionModule(ActionBase):
    """Reads with slurp, writes in one step."""

    TRANSFERS_FILES = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        read: dict[str, Any] = self._execute_module(
            module_name="ansible.legacy.slurp",
            module_args={"src": arguments["src"]},
            task_vars=task_vars,
        )
        if read.get("failed"):
            if self._task.check_mode:
                return {"changed": True, "msg": "there is no control plane yet to take it from"}
            return {"failed": True, "msg": f"{arguments['src']}: {read.get('msg')}"}
        content = base64.b64decode(read["content"])
        dest = Path(arguments["dest"])
        if dest.exists() and dest.read_bytes() == content and dest.stat().st_mode & 0o777 == 0o600:
            return {"changed": False, "dest": str(dest)}
        if not self._task.check_mode:
            _write(dest, content)
        return {"changed": True, "dest": str(dest)}


def _write(dest: Path, content: bytes) -> None:
    """Write at once, never readable by others: temporary files are made with mode 0600."""
    dest.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=dest.parent, delete=False) as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    Path(out.name).replace(dest)
