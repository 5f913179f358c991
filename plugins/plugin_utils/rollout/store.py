# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ConfigMap in which a rollout's state lives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client, Editor
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import names
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import Document
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.opening import (
    PROMOTE,
    ROLL_BACK,
)

MOST_BYTES = 256 * 1024
_DOCUMENT, _COMPARISON = "rollout", "comparison"
# Of the room, what the looks may take at most before every second of the older ones goes.
_MOST_LOOKS_BYTES = 128 * 1024
_KEPT_AT_THE_END = 40


class BadState(Exception):
    """What is written down of a rollout can't be used, or there is no room for it."""


@dataclass(frozen=True)
class Stored:
    document: Document
    # The statistics' own state.
    comparison: Mapping[str, Any] | None


class Store:
    """Writes whole states; who holds the lock is the only one who does."""

    def __init__(self, release: str, namespace: str) -> None:
        self._bare: Block = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": names.rollout_name(release),
                "namespace": namespace,
                "labels": names.common_labels(release),
            },
        }

    def read(self, client: Client) -> Stored | None:
        """None if there never was a rollout. Raises BadState."""
        found = client.get(self._bare)
        data = (found or {}).get("data") or {}
        if _DOCUMENT not in data:
            return None
        try:
            comparison = json.loads(data[_COMPARISON]) if _COMPARISON in data else None
            return Stored(Document.from_dict(json.loads(data[_DOCUMENT])), comparison)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self.bad(error) from error

    def read_if_usable(self, client: Client, tell: Callable[[str], None]) -> Stored | None:
        """For who goes on without it; that it can't be used is told."""
        try:
            return self.read(client)
        except BadState as bad:
            tell(f"{bad}. It is replaced")
            return None

    def bad(self, error: Exception) -> BadState:
        meta = self._bare["metadata"]
        said = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        return BadState(
            f"the state of the rollout, ConfigMap {meta['namespace']}/{meta['name']}, can't be "
            f"used: {said}. Go on with the version of Roost that wrote it, or decide the canary: "
            f"{PROMOTE}, or {ROLL_BACK}"
        )

    def write(self, client: Editor, stored: Stored) -> None:
        data = {_DOCUMENT: _dumps(stored.document.as_dict())}
        if stored.comparison is not None:
            data[_COMPARISON] = _dumps(stored.comparison)
        size = sum(len(text.encode()) for text in data.values())
        if size > MOST_BYTES:
            raise self.bad(ValueError(f"it has {size} bytes; expected at most {MOST_BYTES}"))
        client.apply({**self._bare, "data": data})


def thinned(document: Document) -> Document:
    """The document with no more looks than there is room for: the last ones all, of the older ones
    every second, as often as it takes."""
    looks = document.looks
    while (
        len(looks) > 2 * _KEPT_AT_THE_END and len(_dumps(list(looks)).encode()) > _MOST_LOOKS_BYTES
    ):
        older, last = looks[:-_KEPT_AT_THE_END], looks[-_KEPT_AT_THE_END:]
        looks = (*older[::2], *last)
    left_out = document.looks_left_out + len(document.looks) - len(looks)
    return replace(document, looks=looks, looks_left_out=left_out)


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
