# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tasks must not do, each rule as a function from a task to what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.task import Task

Item = dict[str, Any]

LISTS = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")
COMMANDS = re.compile(r"(ansible\.(builtin|legacy)\.)?(command|shell|raw|script)")
KEYWORDS = {*Play.fattributes, *Block.fattributes, *Task.fattributes}


def items(document: Any) -> Iterator[Item]:
    """Every play, block and task of a file, at any depth."""
    if isinstance(document, list):
        for entry in document:
            if isinstance(entry, dict):
                yield entry
                for key in LISTS:
                    yield from items(entry.get(key))


def commands_without_changed_when(task: Item) -> str | None:
    commands = [key for key in task if COMMANDS.fullmatch(key)]
    if commands and "changed_when" not in task:
        return f"{commands[0]} without changed_when"
    return None


def ignored_errors(task: Item) -> str | None:
    return "ignore_errors" if "ignore_errors" in task else None


def short_names(task: Item) -> str | None:
    short = [key for key in task if key not in KEYWORDS and "." not in key]
    return f"{short[0]} without its collection" if short else None


RULES = (commands_without_changed_when, ignored_errors, short_names)


def broken(document: Any) -> list[str]:
    """What is wrong with a file, each with the name of the task."""
    return [
        f"{item.get('name', 'a task without a name')}: {problem}"
        for item in items(document)
        for problem in (rule(item) for rule in RULES)
        if problem
    ]
