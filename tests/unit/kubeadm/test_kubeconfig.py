# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The administrator's kubeconfig on the controller."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.roost.cluster.plugins.action.kubeconfig import ActionModule

CONTENT = b"apiVersion: v1\n"


def fetch(dest: Path, check: bool = False) -> dict[str, Any]:
    """What the action says, the machine's answer given."""
    action = object.__new__(ActionModule)
    action._task = SimpleNamespace(args={"dest": str(dest)}, check_mode=check, async_val=0)
    action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="unused"))
    action._execute_module = lambda **_: {"content": base64.b64encode(CONTENT).decode()}
    action.validate_argument_spec = lambda **_: (
        None,
        {"src": "/etc/kubernetes/admin.conf", "dest": str(dest)},
    )
    return action.run()


def test_it_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    dest = tmp_path / "new" / "config"
    assert fetch(dest)["changes"] == [{"what": str(dest), "why": "there is none yet"}]
    assert dest.read_bytes() == CONTENT
    assert dest.stat().st_mode & 0o777 == 0o600
    assert fetch(dest)["changed"] is False


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    assert fetch(tmp_path / "config", check=True)["changed"] is True
    assert not (tmp_path / "config").exists()


def test_a_mode_that_lets_others_read_is_mended(tmp_path: Path) -> None:
    dest = tmp_path / "config"
    fetch(dest)
    dest.chmod(0o644)
    assert fetch(dest)["changes"] == [{"what": str(dest), "why": "mode 0644 → 0600"}]
    assert dest.stat().st_mode & 0o777 == 0o600


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    dest = tmp_path / "file" / "config"
    with pytest.raises(AnsibleActionFail, match=f"{dest}: the kubeconfig can't be kept there: "):
        fetch(dest)
