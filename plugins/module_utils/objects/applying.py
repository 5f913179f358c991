# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applies what was planned."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from ansible_collections.roost.cluster.plugins.module_utils.api.client import Editor, Refused
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.api.parallel import in_parallel

Planned = Sequence[tuple[Block, Change]]


def apply(client: Editor, planned: Planned, done: list[Change]) -> None:
    """Server-side apply in the given order, neighbours of one kind at the same time; what was
    applied is added to `done`, for a run that is refused half-way."""

    def one(entry: tuple[Block, Change]) -> None:
        item, change = entry
        try:
            client.apply(item)
        except Refused as error:
            raise Refused(error.status, f"{change.item} was refused: {error}") from error
        done.append(change)

    for _kind, group in groupby(planned, key=lambda entry: entry[0]["kind"]):
        in_parallel(one, list(group))
