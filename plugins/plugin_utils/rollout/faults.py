# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The faults of drills on the cluster: none may stay there unnoticed."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    ApiError,
    Editor,
    is_away,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, object_key
from ansible_collections.roost.cluster.plugins.module_utils.release import names

# Tries to remove a fault, and seconds between two of them: a server that was restarted is back.
_TRIES, _PAUSE = 30, 1.0


class Left(Exception):
    """A fault could not be removed; the text says how to do that."""


def remove(
    client: Editor,
    fault: Block,
    tell: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Raises Left where the server is away for too long."""
    for left in reversed(range(_TRIES)):
        try:
            client.delete(fault)
        except ApiError as error:
            if not left or not is_away(error):
                raise Left(_still_there(fault, error)) from error
            sleep(_PAUSE)
        else:
            tell("the fault is gone")
            return


def clear(
    client: Editor, release: str, namespace: str, tell: Callable[[str], None]
) -> list[Change]:
    """Remove the faults of drills that could not do so themselves; which ones."""
    selector = f"{names.release_selector(release)},{names.DRILL_LABEL}"
    made = []
    for fault in client.list("EnvoyFilter", namespace, selector):
        client.delete(fault)
        made.append(Change(object_key(fault), "a fault that a drill had left", fault, None))
        tell(f"removed EnvoyFilter {fault['metadata']['name']}, a fault that a drill had left")
    return made


def _still_there(fault: Block, error: Exception) -> str:
    meta = fault["metadata"]
    return (
        f"the fault is still there, and fails requests on purpose: {error}. Remove it: kubectl "
        f"delete envoyfilter {meta['name']} --namespace {meta['namespace']}; or by the next "
        "playbooks/rollback.yml or playbooks/drill.yml"
    )
