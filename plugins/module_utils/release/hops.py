# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a rule of a route leads, and how long and how often it tries."""

from __future__ import annotations

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import names
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context


def destination(release: Release, service: str, subset: str, context: Context) -> Block:
    # No port: a service has one, and a rule that names it would be wrong while it is changed.
    return {"host": names.host_of(service, release.namespace, context), "subset": subset}


def patience(release: Release, service: str) -> Block:
    """What a rule says of time and retries: the same for every call of a service, from the gateway
    and from inside the mesh."""
    settings = release.services[service]
    found: Block = {}
    if settings.timeout_seconds is not None:
        found["timeout"] = _seconds(settings.timeout_seconds)
    if settings.retries is not None:
        found["retries"] = {"attempts": settings.retries.attempts}
        if settings.retries.attempts:
            found["retries"]["retryOn"] = ",".join(settings.retries.on)
            if settings.retries.timeout_seconds is not None:
                found["retries"]["perTryTimeout"] = _seconds(settings.retries.timeout_seconds)
    return found


def _seconds(value: float) -> str:
    return f"{value:g}s"
