# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of a real run of ansible-playbook: on the screen, and in a file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playbook import run_playbook

PLAYBOOK = """
- name: Machines
  hosts: one,two
  gather_facts: false
  tasks:
    - name: Change
      told:
        changed: true
        changes: [{what: /etc/a, why: missing}]
      when: inventory_hostname == 'one'
    - name: Repeat
      told:
        changed: "{{ item == 2 }}"
        changes: [{what: "item {{ item }}", why: two}]
        notes: ["seen {{ item }}"]
      loop: [1, 2]
    - name: Hide
      told:
        changed: true
        changes: [{what: secret, why: hidden-value}]
      no_log: true
      when: inventory_hostname == 'two'
    - name: Rescue
      block:
        - name: Break
          ansible.builtin.fail: {msg: rescued failure}
      rescue:
        - name: Go on
          ansible.builtin.debug: {msg: rescued}
    - name: Fail
      ansible.builtin.fail: {msg: no disk}
      when: fails | default(false) | bool and inventory_hostname == 'two'
"""
# An action: to start a module on a machine takes most of a run.
TOLD = """
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        told = self._task.args
        return {**told, "changed": boolean(told["changed"])} if "changed" in told else {**told}
"""
# Enough for whether there is a file at all.
SHORT = """
- name: Machines
  hosts: one
  gather_facts: false
  tasks:
    - name: Nothing
      ansible.builtin.meta: noop
"""


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    path = tmp_path / "playbook.yml"
    path.write_text(PLAYBOOK)
    (tmp_path / "action_plugins").mkdir()
    (tmp_path / "action_plugins" / "told.py").write_text(TOLD)
    inventory = {"all": {"hosts": {"one": {}, "two": {}}, "vars": {"roost_cluster": "lab"}}}
    (tmp_path / "inventory.yml").write_text(json.dumps(inventory))
    return path


def run(playbook: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run_playbook(
        playbook,
        *("-i", "inventory.yml", "-c", "local"),
        *options,
        ANSIBLE_CALLBACKS_ENABLED="roost.cluster.plan",
        ANSIBLE_INVENTORY_ENABLED="yaml",
    )


def test_a_check_run_tells_its_plan(playbook: Path) -> None:
    ran = run(playbook, "--check", "-e", "plan_file=plan.json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = ran.stdout[ran.stdout.index("plan: ") :]
    assert told.startswith("plan: 3 changes on 2 hosts\n  one\n")
    assert "      /etc/a: missing\n" in told
    assert "two, playbook: Hide: it gives no reason" in told
    written: dict[str, Any] = json.loads((playbook.parent / "plan.json").read_text())
    assert written["cluster"] == "lab"
    assert written["check_mode"] is True
    assert written["complete"] is True
    item = {"what": "item 2", "why": "two"}
    assert written["hosts"] == {
        "one": {"playbook": [{"what": "/etc/a", "why": "missing"}, item]},
        "two": {"playbook": [item]},
    }
    assert sorted(entry["note"] for entry in written["notes"]) == [*["seen 1"] * 2, *["seen 2"] * 2]
    assert written["failed"] == []
    assert "hidden-value" not in ran.stdout + json.dumps(written)


def test_a_real_run_writes_the_file_and_says_nothing(playbook: Path) -> None:
    target = playbook.parent / "elsewhere.json"
    ran = run(playbook, "-e", f"plan_file={target}", "-e", "fails=true")
    assert ran.returncode == 2
    assert "plan: " not in ran.stdout
    written = json.loads(target.read_text())
    assert written["check_mode"] is False
    assert written["complete"] is False
    assert written["failed"] == [
        {"host": "two", "role": "playbook", "task": "Fail", "message": "no disk"}
    ]
    assert written["summary"]["changes"] == 3


def test_without_the_variable_nothing_is_written(playbook: Path) -> None:
    playbook.write_text(SHORT)
    before = set(playbook.parent.iterdir())
    assert run(playbook, "--check").returncode == 0
    assert {path.name for path in set(playbook.parent.iterdir()) - before} <= {"home"}


def test_what_can_not_be_written_is_warned_of(playbook: Path) -> None:
    playbook.write_text(SHORT)
    ran = run(playbook, "--check", "-e", "plan_file=nowhere/plan.json")
    assert "nowhere/plan.json can't be written" in ran.stderr
