# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What kubeadm would only find out after minutes of waiting, looked at before it starts."""

from __future__ import annotations

import http.client
import ssl
import time

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import KubeadmError
from ansible_collections.roost.cluster.plugins.module_utils.node.addresses import why_absent

ANSWER_SECONDS = 15.0


def own_address(address: str) -> None:
    """Raise if the machine has no such address: nothing could listen there."""
    if why := why_absent(address):
        raise KubeadmError(
            f"node IP {address}: found on no interface of this machine ({why}), expected its "
            "private address; correct the inventory or the machine's network"
        )


def api_answers(endpoint: str, limit: float = ANSWER_SECONDS) -> None:
    """Raise if nobody answers there as an API server does, by HTTP over TLS.

    Who it is, kubeadm finds out, by the authority that the join was given.
    """
    port, until = endpoint.rpartition(":")[2], time.monotonic() + limit
    while trouble := _trouble(endpoint, min(5.0, limit)):
        if time.monotonic() > until:
            raise KubeadmError(
                f"the API server at {endpoint} can't be reached from this machine, so nothing was "
                f"changed: {trouble}; expected an answer on TCP port {port}. Look "
                "whether the endpoint is right, the control plane runs, and no firewall is between "
                "the two machines"
            )
        time.sleep(min(1.0, limit))  # polled: a server that comes up tells nobody


def _trouble(endpoint: str, timeout: float) -> str:
    """Why there is no answer; empty if there is one."""
    host, _colon, port = endpoint.rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, int(port), timeout=timeout, context=context)
    try:
        connection.request("GET", "/livez")
        connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        return f"found {error}"
    finally:
        connection.close()
    return ""
