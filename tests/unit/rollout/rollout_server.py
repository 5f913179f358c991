# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An API server that keeps objects and their resourceVersions, and a clock that only tests move."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import Refused
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import object_key

from tests.unit.api.stub import StubClient

Block = dict[str, Any]


class Server(StubClient):
    def __init__(self) -> None:
        self.objects: dict[str, Block] = {}
        self.versions = 0
        self.calls: list[str] = []
        # Raised by the next call, once.
        self.trouble: Exception | None = None

    def get(self, item: Block) -> Block | None:
        self._called("get", item)
        return copy.deepcopy(self.objects.get(object_key(item)))

    def create(self, item: Block) -> Block:
        self._called("create", item)
        if object_key(item) in self.objects:
            raise Refused(409, f"{object_key(item)} already exists")
        return self._kept(item)

    def replace(self, item: Block) -> Block:
        self._called("replace", item)
        found = self.objects.get(object_key(item))
        if found is None:
            raise Refused(404, f"{object_key(item)} not found")
        known = found["metadata"]["resourceVersion"]
        if item["metadata"].get("resourceVersion", known) != known:
            raise Refused(409, f"{object_key(item)} was changed meanwhile")
        return self._kept(item)

    def apply(self, item: Block) -> Block:
        self._called("apply", item)
        return self._kept(item)

    def delete(self, item: Block) -> None:
        self._called("delete", item)
        self.objects.pop(object_key(item), None)

    def _called(self, verb: str, item: Block) -> None:
        self.calls.append(f"{verb} {object_key(item)}")
        trouble, self.trouble = self.trouble, None
        if trouble:
            raise trouble

    def _kept(self, item: Block) -> Block:
        self.versions += 1
        kept = copy.deepcopy(item)
        kept["metadata"]["resourceVersion"] = str(self.versions)
        self.objects[object_key(item)] = kept
        return copy.deepcopy(kept)


class Clock:
    """Time that passes only by sleeping; `events` happen when it gets there."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.events: list[tuple[float, Callable[[], None]]] = []
        # By how much the wall clock of this machine is off.
        self.skew = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        began = datetime(2026, 11, 28, 12, 0, tzinfo=timezone.utc)
        return began + timedelta(seconds=self.seconds + self.skew)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        due = [event for event in self.events if event[0] <= self.seconds]
        self.events = [event for event in self.events if event[0] > self.seconds]
        for _at, happen in due:
            happen()

    def every(self, seconds: float, happen: Callable[[], None], times: int = 100) -> None:
        for number in range(1, times + 1):
            self.events.append((self.seconds + number * seconds, happen))
