# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one client of the Kubernetes API."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from ansible_collections.roost.cluster.plugins.module_utils.api.execution import (
    Executed,
    executed,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.expiry import RENEWAL
from ansible_collections.roost.cluster.plugins.module_utils.api.kinds import KINDS, object_path
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import (
    FIELD_MANAGER,
    Block,
)

_TIMEOUT = 15
# Of an exec: how it ended, standard output, standard error.
_CHANNELS = (3, 1, 2)
_JSON = {"Accept": "application/json"}
_APPLY = {**_JSON, "Content-Type": "application/apply-patch+yaml"}


class ApiError(Exception):
    """The API gave no usable answer."""


class Unreachable(ApiError):
    """There is no API server to ask; the text says which one and what to do."""


class Absent(Unreachable):
    """There is no cluster yet: nothing has ever been asked."""


class Refused(ApiError):
    """The API server answered, but not with what was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def is_away(error: Exception) -> bool:
    """Whether the same may be answered in a moment: nobody answered, or a server that comes up, has
    too much to do, or waits for its etcd."""
    if isinstance(error, Refused):
        return error.status == 429 or error.status >= 500
    return isinstance(error, Unreachable)


class Client(Protocol):
    """The calls that Roost makes; tests put a cluster of their own behind them."""

    def get(self, item: Block) -> Block | None: ...

    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[Block]: ...

    def serves(self, kind: str) -> bool: ...

    def dry_run(self, item: Block) -> Block: ...

    def execute(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> Executed: ...

    def log(self, namespace: str, pod: str, container: str, lines: int) -> str: ...

    def ask_pod(self, namespace: str, pod: str, port: int, path: str) -> tuple[int, str]:
        raise NotImplementedError


class Editor(Client, Protocol):
    """The calls that change something. With a resourceVersion in its metadata an object is changed
    only if nobody else did so since; the server answers 409 otherwise."""

    def apply(self, item: Block) -> Block: ...

    def create(self, item: Block) -> Block: ...

    def replace(self, item: Block) -> Block: ...

    def delete(self, item: Block) -> None: ...


class KubernetesClient:
    """A cluster behind a kubeconfig. It may be used from several threads.

    Paths instead of the kubernetes package's models and discovery: the models take a second to
    import and know none of Istio's kinds, and discovery is thirty requests for a few known paths.
    """

    def __init__(self, kubeconfig: str, folder: str | None = None) -> None:
        """The client writes the kubeconfig's keys to temporary files and removes them when the
        process exits by itself. Where it doesn't, the files need a `folder` that ends with it."""
        if not Path(kubeconfig).expanduser().is_file():
            raise Absent(f"there is no kubeconfig at {kubeconfig}: run playbooks/cluster.yml first")
        # Here, not at the top: a second of importing that --syntax-check and tests can do without.
        from kubernetes import client, config

        self._kubeconfig = kubeconfig
        try:
            # What a proxy is set for is elsewhere; the machines are reached as SSH reaches them.
            settings = client.Configuration(no_proxy="*")
            config.load_kube_config(
                config_file=kubeconfig, client_configuration=settings, temp_file_path=folder
            )
            self._client = client.ApiClient(settings)
        except config.ConfigException as error:
            raise Unreachable(f"the kubeconfig {kubeconfig} can't be used: {error}") from error

    def must_be_ready(self) -> None:
        """Raise Unreachable if the API server can't answer questions, as without its etcd."""
        status, text = self._request("GET", "/readyz")
        if status != 200:
            said = "; ".join(line for line in text.splitlines() if line.startswith("[-]"))
            raise Unreachable(
                f"the API server of {self._kubeconfig} isn't ready: found {said or status}; "
                f"expected ok. {repair(text)}"
            )

    def get(self, item: Block) -> Block | None:
        return self._ask_unless_absent("GET", object_path(item))

    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[Block]:
        """All objects of a kind; none if the cluster doesn't know the kind."""
        query = {"labelSelector": selector, "fieldSelector": fields}
        path = KINDS[kind].collection(namespace)
        given = {key: text for key, text in query.items() if text}
        answer = self._ask_unless_absent("GET", path, given)
        if answer is None:
            return []
        # In a list the items' own kind and version are left out.
        named = {"apiVersion": KINDS[kind].version, "kind": kind}
        return [{**named, **item} for item in answer.get("items") or []]

    def serves(self, kind: str) -> bool:
        answer = self._ask_unless_absent("GET", KINDS[kind].api)
        return answer is not None and any(
            resource["name"] == KINDS[kind].plural for resource in answer["resources"]
        )

    def dry_run(self, item: Block) -> Block:
        """What the object would be after a server-side apply."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "dryRun": "All"}
        return self._ask("PATCH", object_path(item), query, item)

    def apply(self, item: Block) -> Block:
        """Server-side apply; the object as it is now."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return self._ask("PATCH", object_path(item), query, item)

    def create(self, item: Block) -> Block:
        """Refused with 409 if there is one already."""
        path = KINDS[item["kind"]].collection(item["metadata"].get("namespace"))
        return self._ask("POST", path, {"fieldManager": FIELD_MANAGER}, item)

    def replace(self, item: Block) -> Block:
        return self._ask("PUT", object_path(item), {"fieldManager": FIELD_MANAGER}, item)

    def delete(self, item: Block) -> None:
        """Nothing if it is gone already. What it owns ends in the background."""
        query = {"propagationPolicy": "Background"}
        self._ask_unless_absent("DELETE", object_path(item), query)

    def log(self, namespace: str, pod: str, container: str, lines: int) -> str:
        query = {"container": container, "tailLines": str(lines)}
        status, text = self._request("GET", f"{_pod(namespace, pod)}/log", query)
        return text if status == 200 else ""

    def ask_pod(self, namespace: str, pod: str, port: int, path: str) -> tuple[int, str]:
        """Status and body of a GET to a pod's port. It is the API server that asks the pod."""
        return self._request("GET", f"{_pod(namespace, pod)}:{port}/proxy/{path}", headers={})

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> Executed:
        from kubernetes.stream import ws_client
        from websocket import WebSocketException, setdefaulttimeout

        # Or the connection to a node that died would be waited for without an end.
        setdefaulttimeout(_TIMEOUT)
        query = [("container", container), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in command]
        path = f"{_pod(namespace, pod)}/exec?{urlencode(query)}"
        _method, url, headers, *_rest = self._client.param_serialize(
            "GET", path, auth_settings=["BearerToken"]
        )
        try:
            # Not kubernetes.stream.stream(): it replaces a method of the client while it runs, and
            # turns JSON into the text of a Python dict.
            session = ws_client.WSClient(
                self._client.configuration, ws_client.get_websocket_url(url), headers, False
            )
            session.run_forever(timeout=_TIMEOUT)
            status, *said = (str(session.read_channel(key)) for key in _CHANNELS)
            session.close()
        except (OSError, WebSocketException) as error:
            return Executed(None, errors=f"exec in {pod}: {error}")
        return executed(status or f"exec in {pod}: no end within {_TIMEOUT} s", *said)

    def _ask_unless_absent(
        self, method: str, path: str, query: Mapping[str, str] | None = None
    ) -> Block | None:
        try:
            return self._ask(method, path, query)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Block | None = None,
    ) -> Block:
        headers = _APPLY if method == "PATCH" else _JSON
        status, text = self._request(method, path, query, body, headers)
        if not 200 <= status < 300:
            raise Refused(status, f"{method} {path}: {status} {_message(text)}")
        answer: Block = json.loads(text)
        return answer

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        request = self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=dict(_JSON if headers is None else headers),
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._client.call_api(*request, _request_timeout=_TIMEOUT)
            return int(answer.status), answer.read().decode("utf-8", "replace")
        except (ApiException, HTTPError, OSError) as error:
            raise Unreachable(
                f"the API server of {self._kubeconfig} doesn't answer: found {error}; expected an "
                f"answer. {repair(str(error))}"
            ) from error


def repair(error: str) -> str:
    """What to do about a connection that failed in this way."""
    if "certificate is not yet valid" in error or "certificate has expired" in error:
        now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        expired = f"; {RENEWAL}" if "certificate has expired" in error else ""
        return (
            f"It is {now} by the clock of this machine: set it right if it is off, for example by "
            f"NTP, and run the same again{expired}"
        )
    return "Look whether the control plane runs and this machine reaches it, and run the same again"


def _pod(namespace: str, pod: str) -> str:
    return f"{KINDS['Pod'].collection(namespace)}/{pod}"


def _message(text: str) -> str:
    """The server's own sentence, where it has one."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:300]
