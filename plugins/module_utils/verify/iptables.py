# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re
import uuid

from ansible_collections.roost.cluster.plugins.module_utils.verify.packet_filter import (
    PacketFilterError,
    Run,
    asked,
)

MARK = "roost-verify-pull-"


def packets(listing: str, comment: str) -> int:
    """The packets that met the rule with this comment, from `iptables -nvxL`."""
    for line in listing.splitlines():
        if f"/* {comment} */" in line:
            return int(line.split()[0])
    raise PacketFilterError(f"no rule marked {comment} in the OUTPUT chain: somebody removed it")


def marked(rules: str) -> list[str]:
    """The comments of our rules, this run's or another's, from `iptables -S`."""
    return re.findall(rf'--comment "?({MARK}[0-9a-f]+)"?', rules)


class IptablesRule:
    """A packet filter's rule, by iptables."""

    def __init__(self, run: Run, iptables: str, address: str) -> None:
        self._run = run
        self._iptables = iptables
        self._address = address
        self._comment = MARK + uuid.uuid4().hex[:12]

    def _call(self, *arguments: str) -> str:
        return asked(self._run, [self._iptables, "-w", "10", *arguments])

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
