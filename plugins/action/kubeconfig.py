# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Copies the administrator's kubeconfig to the controller, readable by its owner only."""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
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
                return _changed(arguments["dest"], "there is no control plane yet to take it from")
            return {"failed": True, "msg": f"{arguments['src']}: {read.get('msg')}"}
        content = base64.b64decode(read["content"])
        dest = Path(arguments["dest"])
        try:
            why = _difference(dest, content)
            if why and not self._task.check_mode:
                _write(dest, content)
        except OSError as error:
            raise AnsibleActionFail(
                f"{dest}: the kubeconfig can't be kept there: {error.filename}: {error.strerror}; "
                "expected a file in a folder that you may write to; control_plane_kubeconfig is "
                "its path. The control plane itself is as described."
            ) from error
        if not why:
            return {"changed": False, "dest": str(dest), "changes": []}
        return _changed(str(dest), why)


def _changed(dest: str, why: str) -> dict[str, Any]:
    return {"changed": True, "dest": dest, "changes": [{"what": dest, "why": why}]}


def _difference(dest: Path, content: bytes) -> str:
    """Why the file has to be written, without a word of what is in it; empty if it needn't be."""
    if not dest.exists():
        return "there is none yet"
    if dest.read_bytes() != content:
        return "it differs from the control plane's"
    mode = dest.stat().st_mode & 0o777
    return "" if mode == 0o600 else f"mode {mode:04o} → 0600"


def _write(dest: Path, content: bytes) -> None:
    """Write at once, never readable by others: temporary files are made with mode 0600."""
    dest.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=dest.parent, delete=False) as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    Path(out.name).replace(dest)
