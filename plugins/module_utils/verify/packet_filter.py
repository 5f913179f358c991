# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rule of the machine's packet filter that drops, and so counts, what it sends to one address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable, Protocol

Run = Callable[["list[str]"], "tuple[int, str]"]
"""Runs a command; gives its exit code and what it printed."""


class PacketFilterError(Exception):
    """The packet filter did not do what it was asked; the text says what it printed."""


class Rule(Protocol):
    """What both kinds of packet filter can do."""

    def insert(self) -> None: ...

    def count(self) -> int:
        """The packets that it has dropped since."""

    def remove_marked(self) -> int:
        """Remove every rule of ours, and say how many there were."""


def asked(run: Run, command: list[str]) -> str:
    """What a command prints that must succeed."""
    code, output = run(command)
    if code != 0:
        raise PacketFilterError(f"{' '.join(command)}: {output.strip()}")
    return output


@contextmanager
def counting(rule: Rule) -> Iterator[int]:
    """The rule is in place, and none is left afterwards; how many a killed run had left.

    The caller holds a lock: rules of other runs are taken for left over.
    """
    left_over = rule.remove_marked()
    try:
        rule.insert()
        yield left_over
    finally:
        rule.remove_marked()
