# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules for tasks, over every playbook, role and scenario."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.unit.rules.ansible_rules import broken

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDERS = ("playbooks", "roles", "molecule", "tests")
FILES = subprocess.run(
    ["git", "ls-files", *(f"{folder}/*.yml" for folder in FOLDERS)],
    cwd=REPOSITORY,
    capture_output=True,
    text=True,
    check=True,
).stdout.split()


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        ("{name: Look, ansible.builtin.command: ls}", "Look: ansible.builtin.command without"),
        ("{name: Look, command: ls, changed_when: false}", "Look: command without its collection"),
        ("{name: Look, roost.cluster.preflight: {}, ignore_errors: true}", "Look: ignore_errors"),
        ("{name: P, hosts: all, tasks: [{block: [{name: A, shell: x}]}]}", "A: shell without"),
        ("{name: P, hosts: all, ignore_errors: true}", "P: ignore_errors"),
        ("{name: B, block: [], rescue: [{name: C, ignore_errors: false}]}", "C: ignore_errors"),
    ],
)
def test_each_rule_sees_what_breaks_it(task: str, problem: str) -> None:
    assert problem in "\n".join(broken([yaml.safe_load(task)]))


def test_a_task_that_keeps_the_rules_is_left_alone() -> None:
    task = "{name: Look, ansible.builtin.command: ls, changed_when: false, when: a}"
    assert broken([yaml.safe_load(task)]) == []


@pytest.mark.parametrize("file", FILES)
def test_every_task_keeps_the_rules(file: str) -> None:
    problems = [
        problem
        for document in yaml.safe_load_all((REPOSITORY / file).read_text())
        for problem in broken(document)
    ]
    assert not problems
