# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of some objects a server-side apply would change."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network

from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change, compare
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import (
    Block,
    name_of,
    object_key,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.parallel import in_parallel


def plan(client: Client, objects: Sequence[Block]) -> list[tuple[Block, Change]]:
    """The objects that differ from what is live, each with the reason, in the given order.

    The API server is asked by a dry run: an apply that is reported as a change when only the
    status moved meanwhile would make a second run look as if it had done something.
    """
    found = in_parallel(client.get, objects)
    live = {object_key(item): item for item in found if item is not None}
    contents = {object_key(item): item for item in objects}
    changes = compare(client, live, contents)
    return [(contents[key], change) for key, change in changes.items() if change]


def outside(client: Client, network: str) -> str:
    """Which nodes' parts of the pod network lie elsewhere, and what to do; empty if none does.

    Kubernetes cuts them out of the network that the control plane was made with. flannel would try
    for ever to find its node's part in another one, and look as if it was well meanwhile.
    """
    wanted = IPv4Network(network)
    parts = {
        name_of(node): part
        for node in client.list("Node")
        if (part := (node.get("spec") or {}).get("podCIDR"))
        and not IPv4Network(part).subnet_of(wanted)
    }
    told = ", ".join(f"{part} of {name}" for name, part in parts.items())
    return (
        f"the pod network: found {network}, expected one with the parts that nodes have, {told}; "
        "it is what the control plane was made with, and stays while the cluster lives"
        if parts
        else ""
    )
