# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable

MARK = "roost-verify-pull-"

Run = Callable[["list[str]"], "tuple[int, str]"]
"""Runs a command; gives its exit code and what it printed."""


class IptablesError(Exception):
    """iptables did not do what it was asked; the text says what it printed."""


def packets(listing: str, comment: str) -> int:
    """The packets that met the rule with this comment, from `iptables -nvxL`."""
    for line in listing.splitlines():
        if f"/* {comment} */" in line:
            return int(line.split()[0])
    raise IptablesError(f"no rule marked {comment} in the OUTPUT chain: somebody removed it")


def marked(rules: str) -> list[str]:
    """The comments of our rules, this run's or another's, from `iptables -S`."""
    return re.findall(rf'--comment "?({MARK}[0-9a-f]+)"?', rules)


class DropRule:
    """A rule that drops, and so counts, all that this machine itself sends to one address."""

    def __init__(self, run: Run, iptables: str, address: str, comment: str) -> None:
        self._run = run
        self._iptables = iptables
        self._address = address
        self._comment = comment

    def _call(self, *arguments: str) -> str:
        command = [self._iptables, "-w", "10", *arguments]
        code, output = self._run(command)
        if code != 0:
            raise IptablesError(f"{' '.join(command)}: {output.strip()}")
        return output

    def _rule(self, comment: str) -> list[str]:
        match = ["-d", f"{self._address}/32", "-m", "comment", "--comment", comment]
        return [*match, "-j", "DROP"]

    def insert(self) -> None:
        # First in the chain: another rule may accept, and end, what should be counted.
        self._call("-I", "OUTPUT", "1", *self._rule(self._comment))

    def count(self) -> int:
        return packets(self._call("-nvxL", "OUTPUT"), self._comment)

    def remove_marked(self) -> int:
        """Remove every rule of ours, and say how many there were."""
        comments = marked(self._call("-S", "OUTPUT"))
        for comment in comments:
            self._call("-D", "OUTPUT", *self._rule(comment))
        return len(comments)


@contextmanager
def counting(run: Run, iptables: str, address: str) -> Iterator[tuple[DropRule, int]]:
    """The rule, in place, and how many a killed run had left; none is left afterwards.

    The caller holds a lock: rules of other runs are taken for left over.
    """
    rule = DropRule(run, iptables, address, MARK + uuid.uuid4().hex[:12])
    left_over = rule.remove_marked()
    try:
        rule.insert()
        yield rule, left_over
    finally:
        rule.remove_marked()
