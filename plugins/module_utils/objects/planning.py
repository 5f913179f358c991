# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of some objects a server-side apply would change."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.roost.cluster.plugins.module_utils.release import names, survey
from ansible_collections.roost.cluster.plugins.module_utils.release.cluster import Cluster
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Block
from ansible_collections.roost.cluster.plugins.module_utils.release.plan import Change

_AT_ONCE = 8


def plan(cluster: Cluster, objects: Sequence[Block]) -> list[tuple[Block, Change]]:
    """The objects that differ from what is live, each with the reason, in the given order.

    The API server is asked by a dry run: an apply that is reported as a change when only the
    status moved meanwhile would make a second run look as if it had done something.
    """
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        live = list(pool.map(cluster.get, objects))
    found = {names.object_key(item): item for item in live if item is not None}
    contents = {names.object_key(item): item for item in objects}
    changes = survey.compare(cluster, found, contents)
    return [(contents[key], change) for key, change in changes.items() if change]
