# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re

from ansible_collections.roost.cluster.plugins.module_utils.verify.packet_filter import (
    PacketFilterError,
    Run,
    asked,
)

TABLE = "ip roost-verify-pull"


def packets(listing: str) -> int:
    """The packets that met the rule, from `nft list table`."""
    found = re.search(r"counter packets (\d+)", listing)
    if not found:
        raise PacketFilterError(f"no rule that counts in table {TABLE}: somebody removed it")
    return int(found[1])


class NftablesRule:
    """A packet filter's rule, by nft, for machines without iptables: a table of its own."""

    def __init__(self, run: Run, nft: str, address: str) -> None:
        self._run = run
        self._nft = nft
        self._address = address

    def _call(self, command: str) -> str:
        return asked(self._run, [self._nft, command])

    def insert(self) -> None:
        # Before the chains of others: one of them may drop, and end, what should be counted.
        hook = "type filter hook output priority -300; policy accept;"
        self._call(
            f"add table {TABLE}; add chain {TABLE} out {{ {hook} }}; "
            f"add rule {TABLE} out ip daddr {self._address} counter drop"
        )

    def count(self) -> int:
        return packets(self._call(f"list table {TABLE}"))

    def remove_marked(self) -> int:
        if f"table {TABLE}" not in self._call("list tables").splitlines():
            return 0
        self._call(f"delete table {TABLE}")
        return 1
