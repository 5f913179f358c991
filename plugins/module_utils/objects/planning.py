# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of some objects a server-side apply would change."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change, compare
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, object_key
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
