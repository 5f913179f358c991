# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which machines a run goes on without, and what its last lines say of those that don't answer."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playbook import run_playbook

TASKS = Path(__file__).resolve().parents[3] / "playbooks" / "tasks" / "need_control_plane.yml"
PLAYBOOK = f"""
- hosts: cluster
  gather_facts: false
  tasks:
    - name: Ask the machine
      # Without a module, which takes longer than the rest of a run.
      ansible.builtin.raw: "true"
      changed_when: false
  post_tasks:
    - name: Stop where the control plane is out of reach
      ansible.builtin.import_tasks: {TASKS}
- hosts: cluster
  gather_facts: false
  tasks:
    - name: Go on
      ansible.builtin.debug:
        msg: "left: {{{{ ansible_play_hosts | join(' ') }}}}"
"""


def run(folder: Path, unreachable: str, *options: str) -> subprocess.CompletedProcess[str]:
    with socket.socket() as held:
        # Bound and not listening: it refuses, and nobody else gets it meanwhile.
        held.bind(("127.0.0.1", 0))
        return run_with(folder, unreachable, held.getsockname()[1], *options)


def run_with(
    folder: Path, unreachable: str, closed: int, *options: str
) -> subprocess.CompletedProcess[str]:
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    gone: dict[str, Any] = {"ansible_host": "127.0.0.1", "ansible_port": closed}
    hosts = {
        name: gone if name == unreachable else here for name in ("control", "worker-1", "worker-2")
    }
    inventory = folder / "inventory.json"
    variables = {"first_control_plane": "control"}
    inventory.write_text(json.dumps({"cluster": {"hosts": hosts, "vars": variables}}))
    playbook = folder / "playbook.yml"
    playbook.write_text(PLAYBOOK)
    return run_playbook(
        playbook,
        *("-i", str(inventory)),
        *options,
        ANSIBLE_INVENTORY_ENABLED="yaml",
        ANSIBLE_CALLBACKS_ENABLED="roost.cluster.phases",
    )


def last_words(output: str) -> str:
    return output.partition("PLAY RECAP")[2]


def test_a_worker_is_left_out_and_named_at_the_end(tmp_path: Path) -> None:
    ran = run(tmp_path, "worker-1")
    assert ran.returncode != 0
    assert '"msg": "left: control worker-2"' in ran.stdout
    assert "failed on worker-1: Ask the machine" in last_words(ran.stdout)
    assert "Connection refused" in last_words(ran.stdout)
    assert "run the same again" in last_words(ran.stdout)


def test_without_the_control_plane_nobody_goes_on(tmp_path: Path) -> None:
    ran = run(tmp_path, "control")
    assert ran.returncode != 0
    assert "left:" not in ran.stdout
    assert "failed on control: Ask the machine" in last_words(ran.stdout)
    assert "nothing can go on without it" in " ".join(last_words(ran.stdout).split())


@pytest.mark.parametrize("unreachable", ["control", ""])
def test_whom_a_run_is_not_about_it_can_do_without(tmp_path: Path, unreachable: str) -> None:
    ran = run(tmp_path, unreachable, "--limit", "worker-1,worker-2")
    assert ran.returncode == 0, ran.stdout
    assert '"msg": "left: worker-1 worker-2"' in ran.stdout
