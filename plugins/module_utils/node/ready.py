# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import http.client
import socket
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError


def check_shape(name: str, ready: dict[str, Any]) -> None:
    asked = [kind for kind in ("unix", "tcp", "http") if ready.get(kind)]
    if len(asked) != 1:
        raise StateError(
            f"{name}: ready names {asked or 'nothing'}, expected one of unix, tcp, http"
        )
    tcp = ready.get("tcp")
    if tcp and (len(tcp) != 2 or not str(tcp[1]).isdigit()):
        raise StateError(f"{name}: ready.tcp is {tcp}, expected [host, port]")


def probe(ready: dict[str, Any], limit: float = 2) -> str:
    """Ask a service once; an empty answer means that it is ready, another one says why not."""
    if ready.get("unix"):
        return _connect(socket.AF_UNIX, ready["unix"], f"unix socket {ready['unix']}", limit)
    if ready.get("tcp"):
        host, port = ready["tcp"][0], int(ready["tcp"][1])
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return _connect(family, (host, port), f"tcp {host}:{port}", limit)
    return _get(ready["http"], int(ready.get("status") or 200), limit)


def port_of(ready: dict[str, Any]) -> int | None:
    """The TCP port of this machine at which a service answers, where it does at one."""
    if ready.get("tcp"):
        return int(ready["tcp"][1])
    return (urlsplit(ready["http"]).port or 80) if ready.get("http") else None


def _connect(family: int, address: Any, what: str, limit: float) -> str:
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(limit)
        try:
            connection.connect(address)
        except OSError as error:
            return f"{what} does not accept connections ({error.strerror or error})"
    return ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any) -> None:
        return None


def _get(url: str, status: int, limit: float) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    try:
        with opener.open(url, timeout=limit) as answer:
            found = int(answer.status)
    except urllib.error.HTTPError as error:
        found = error.code
    except (OSError, http.client.HTTPException) as error:
        return f"{url} does not answer ({getattr(error, 'reason', None) or error})"
    return "" if found == status else f"{url} answers {found}, expected {status}"
