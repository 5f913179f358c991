# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import socket

from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    Step,
    Wanted,
)


def why_absent(address: str) -> str:
    """Why nothing could listen on an IPv4 address of this machine; empty if something could."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def address_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    """None: what is missing can't be made, and is told before anything else is changed."""
    for address in wanted["addresses"]:
        if why := why_absent(address):
            raise StateError(
                f"{address}: found on no interface of this machine ({why}), expected one of its "
                "addresses, so nothing was changed; correct the inventory or the machine's network"
            )
    return []
