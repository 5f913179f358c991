# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.roost.cluster.plugins.module_utils.api.client import ApiError


def wait(
    look: Callable[[], list[str]],
    timeout: float,
    pause: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[float, list[str]]:
    """Look until nothing is missing: after how many seconds, and what was missing at the end."""
    begun = clock()
    while True:
        try:
            missing = look()
        except ApiError as error:
            # An API server that is restarted meanwhile is one more thing to wait for.
            missing = [str(error)]
        seconds = clock() - begun
        if not missing or seconds >= timeout:
            return round(seconds, 2), missing
        sleep(pause)  # polled: one list call a look is less than a watch for each kind
