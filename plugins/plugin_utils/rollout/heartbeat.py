# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps the lock while something else is done, and notices when that must stop."""

from __future__ import annotations

import os
import threading

from ansible_collections.roost.cluster.plugins.module_utils.api.client import ApiError
from ansible_collections.roost.cluster.plugins.module_utils.release.lease import RENEW_SECONDS
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.lock import Lock, Lost

_LOOKS_EVERY = 1.0


class Heartbeat:
    """Renews a lock from a thread of its own. `stop` is set, and `why` says why, as soon as the
    lock is lost."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        # Ansible's own process. It may be killed without a chance to end this one.
        self._parent = os.getppid()
        self._ended = threading.Event()
        self.stop = threading.Event()
        self.why = ""
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()
        self._lock.release()

    def pause(self, seconds: float) -> None:
        """Wait, but not after the lock was lost."""
        self.stop.wait(max(0.0, seconds))
        self.check()

    def check(self) -> None:
        if self.stop.is_set():
            raise Lost(self.why)

    def certain(self) -> None:
        """Ask the server whether the lock is held: before each change of what is live."""
        self.check()
        self._lock.renew()

    def _beat(self) -> None:
        waited = 0.0
        while not self._ended.wait(_LOOKS_EVERY):
            if os.getppid() != self._parent:
                # Nobody reads what this process says any more, and nobody can stop it.
                self.why = "the playbook was killed"
                self.stop.set()
                return
            waited += _LOOKS_EVERY
            if waited < RENEW_SECONDS:
                continue
            waited = 0.0
            try:
                self._lock.renew()
            except Lost as lost:
                self.why = str(lost)
                self.stop.set()
                return
            except ApiError:
                continue
