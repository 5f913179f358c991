# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.roost.cluster.plugins.callback.phases import Timings, message, table

from tests.unit.playbook import run_playbook

PLAYBOOK = """
- name: First
  hosts: one,two
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.debug: {msg: hello}
    - name: Skip
      ansible.builtin.debug: {msg: never}
      when: false
    - name: Repeat
      ansible.builtin.debug: {msg: "{{ item }}"}
      loop: [1, 2, 3]
      when: item != 2
    - name: Ignore
      ansible.builtin.fail: {msg: ignored failure}
      ignore_errors: true
    - name: Rescue
      block:
        - name: Break
          ansible.builtin.fail: {msg: rescued failure}
      rescue:
        - name: Go on
          ansible.builtin.debug: {msg: rescued}
- name: Second
  hosts: two
  gather_facts: false
  tasks:
    - name: Keep promises
      ansible.builtin.fail:
        msg: "promise failed: split\\npromise failed: errors"
"""


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_tasks_add_up_to_roles_and_phases() -> None:
    clock = Clock()
    timings = Timings(clock)
    timings.begin_phase("Nodes")
    for key, role, seconds in (
        ("a", "node", 2),
        ("b", "node", 3),
        ("c", "", 4),
        ("d", "kubelet", 1),
    ):
        timings.begin_task(key, f"task {key}", role)
        clock.now += seconds
        timings.result(key)
    clock.now += 0.5
    timings.end_phase()
    found = timings.as_dict()
    assert found["phases"] == [
        {"name": "Nodes", "seconds": 10.5, "roles": {"node": 5.0, "kubelet": 1.0}}
    ]
    assert [task["name"] for task in found["slowest"]] == ["task c", "task b", "task a", "task d"]
    assert "    10.5  Nodes" in table(found)
    assert "     5.0      node" in table(found)


def test_a_task_ends_with_its_last_host() -> None:
    clock = Clock()
    timings = Timings(clock)
    timings.begin_phase("Nodes")
    timings.begin_task("a", "task", "")
    for _ in range(3):
        clock.now += 1
        timings.result("a")
    assert timings.slowest()[0].seconds == 3.0


def test_a_phase_ends_once() -> None:
    timings = Timings(Clock())
    assert timings.end_phase() is None
    timings.begin_phase("Nodes")
    assert timings.end_phase() is not None
    assert timings.end_phase() is None


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"msg": "a\nb"}, "a\nb"),
        ({"msg": ["a", "b"]}, "a\nb"),
        ({"censored": "hidden"}, "hidden"),
        ({"msg": "one or more", "results": [{"msg": "x", "failed": True}, {"msg": "y"}]}, "x"),
        ({}, "no message"),
    ],
)
def test_what_a_failure_says(result: dict[str, object], text: str) -> None:
    assert message(result) == text


def test_a_real_run(tmp_path: Path) -> None:
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(PLAYBOOK)
    timings = tmp_path / "timings.json"
    run = run_playbook(
        playbook,
        *("-i", "one,two,", "-c", "local"),
        ANSIBLE_CALLBACKS_ENABLED="roost.cluster.phases",
        ROOST_TIMINGS=str(timings),
    )
    assert run.returncode == 2, run.stdout + run.stderr
    assert "phase 1: First, begins at 0:0" in run.stdout
    assert "phase 1: First, took" in run.stdout
    assert "phase 2: Second, took" in run.stdout
    # The default output stays, for molecule reads its recap.
    assert "PLAY RECAP" in run.stdout
    assert run.stdout.splitlines()[-3:] == [
        "failed on two: Keep promises",
        "  promise failed: split",
        "  promise failed: errors",
    ]
    written = json.loads(timings.read_text())
    assert [phase["name"] for phase in written["phases"]] == ["First", "Second"]
    # Say, two of three items, Ignore, Break, Go on; host two fails once more.
    assert written["module_calls"] == {"one": 6, "two": 7}
