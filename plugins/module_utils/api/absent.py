# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans where there is no cluster yet."""

from __future__ import annotations

from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    Absent,
    Client,
    KubernetesClient,
    Refused,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.execution import Executed
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block


class NoClusterYet(Refused):
    def __init__(self) -> None:
        super().__init__(404, "there is no cluster yet")


class NoCluster:
    """Stands for a cluster that is not there yet, in a dry run: it has nothing."""

    def get(self, item: Block) -> Block | None:
        return None

    def list(self, kind: str, *_place: Any, **_fields: Any) -> list[Block]:
        return []

    def serves(self, kind: str) -> bool:
        return False

    def dry_run(self, item: Block) -> Block:
        raise NoClusterYet

    def execute(self, *_call: Any) -> Executed:
        raise NoClusterYet

    def log(self, *_call: Any) -> str:
        return ""

    def ask_pod(self, *_call: Any) -> tuple[int, str]:
        raise NoClusterYet


def dry_run_client(kubeconfig: str) -> Client:
    """The cluster, or an empty one in place of one that was never made.

    Of one that is there and doesn't answer nothing is known, which is Unreachable.
    """
    try:
        client = KubernetesClient(kubeconfig)
    except Absent:
        return NoCluster()
    # Asked once: of one that hangs, every other question would be waited for.
    client.must_be_ready()
    return client
