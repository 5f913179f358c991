# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One steers at a time: a lock that is renewed, goes stale, and can be taken over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone

from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    ApiError,
    Editor,
    Refused,
    is_away,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import lease
from ansible_collections.roost.cluster.plugins.module_utils.release.lease import Holder

# Whoever is alive has renewed by then.
_WATCH_AT_LEAST = lease.RENEW_SECONDS + 2
_PAUSE = 0.5


class Held(Exception):
    """Somebody else steers, and is alive."""

    def __init__(self, release: str, holder: Holder) -> None:
        self.holder = holder
        super().__init__(
            f"a rollout of {release} is steered by {holder}; let it end, or decide it now: "
            "ansible-playbook playbooks/promote.yml or ansible-playbook playbooks/rollback.yml"
        )


class Lost(Exception):
    """Somebody took the lock over, or it could not be renewed for too long."""


def utc() -> datetime:
    return datetime.now(timezone.utc)


class Lock:
    """The Lease of a release. Each call asks the server; nothing is believed for longer."""

    def __init__(
        self,
        client: Editor,
        release: str,
        namespace: str,
        who: str,
        session: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = utc,
    ) -> None:
        self._client, self._release = client, release
        self._bare = lease.lease(release, namespace)
        self._who, self._session = who, session
        self._clock, self._sleep, self._now = clock, sleep, now
        # Renewed by a thread of its own, and checked before each change by the one that walks.
        self._one_at_a_time = threading.Lock()
        self._mine: Block | None = None
        self._renewed = 0.0

    def acquire(self) -> None:
        """Take the lock if nobody alive has it.

        Whether the holder is alive is watched, not calculated from clocks of two machines: it has
        renewed within a few seconds, or it is dead and the lock goes stale.
        """
        found = self._client.get(self._bare)
        holder = lease.held_by(found)
        if holder is None:
            self._write(found)
            return
        age = lease.seconds_since(holder.renewed, self._now())
        until = self._clock() + min(
            max(lease.STALE_SECONDS - age, _WATCH_AT_LEAST), lease.STALE_SECONDS
        )
        while self._clock() < until:
            self._sleep(_PAUSE)
            seen = self._client.get(self._bare)
            now = lease.held_by(seen)
            if now is None:
                self._write(seen)
                return
            if now != holder:
                raise Held(self._release, now)
        self._write(found)

    def seize(self) -> Holder | None:
        """Take the lock whoever has it; who had it, if he may be alive still."""
        while True:
            found = self._client.get(self._bare)
            try:
                self._write(found)
            except Held:
                continue  # It was renewed in between.
            return lease.alive(found, self._now())

    def renew(self) -> None:
        """Make sure that the lock is held still. A server that doesn't answer is put up with until
        others may take the lock for stale."""
        with self._one_at_a_time:
            if self._mine is None:
                raise Lost("the lock was given back")
            try:
                self._mine = self._written_again(self._mine)
                self._renewed = self._clock()
            except ApiError as error:
                if not is_away(error):
                    raise
                if self._clock() - self._renewed >= lease.STALE_SECONDS:
                    raise Lost(f"it could not be renewed in time: {error}") from error

    def release(self) -> None:
        """Give the lock back, if it is held still. Who comes next need not wait."""
        with self._one_at_a_time:
            mine, self._mine = self._mine, None
            if mine is None:
                return
            try:
                self._client.replace({**mine, "spec": {**mine["spec"], "holderIdentity": ""}})
            except ApiError:
                return  # Somebody else has it, or it goes stale.

    def _written_again(self, mine: Block) -> Block:
        try:
            return self._client.replace(self._renewing(mine))
        except Refused as error:
            if error.status not in (404, 409):
                raise
        found = self._client.get(self._bare)
        holder = lease.held_by(found)
        if found is None or holder is None or holder.session != self._session:
            self._mine = None
            raise Lost(_lost(found, holder))
        # The last renewal got there, and only its answer was lost.
        return self._client.replace(self._renewing(found))

    def _write(self, found: Block | None) -> None:
        """Write oneself down as the holder, unless the Lease was changed since it was read."""
        now = lease.written(self._now())
        item = self._bare if found is None else found
        annotations = {
            **(item["metadata"].get("annotations") or {}),
            lease.SESSION_ANNOTATION: self._session,
        }
        spec = {
            "holderIdentity": self._who,
            "leaseDurationSeconds": lease.STALE_SECONDS,
            "acquireTime": now,
            "renewTime": now,
        }
        mine = {**item, "metadata": {**item["metadata"], "annotations": annotations}, "spec": spec}
        try:
            write = self._client.create if found is None else self._client.replace
            with self._one_at_a_time:
                self._mine = write(mine)
                self._renewed = self._clock()
        except Refused as error:
            if error.status != 409:
                raise
            found = self._client.get(self._bare)
            holder = lease.held_by(found)
            if holder:
                raise Held(self._release, holder) from None
            self._write(found)  # It was given back in between.

    def _renewing(self, mine: Block) -> Block:
        return {**mine, "spec": {**mine["spec"], "renewTime": lease.written(self._now())}}


def _lost(found: Block | None, holder: Holder | None) -> str:
    if found is None:
        return "somebody removed the lock"
    return f"{holder} took over" if holder else "somebody else took over, and is done already"
