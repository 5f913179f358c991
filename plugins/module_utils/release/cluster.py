# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from ansible_collections.roost.cluster.plugins.module_utils.release.names import (
    FIELD_MANAGER,
    Block,
    object_key,
)

_TIMEOUT = 15
_STDOUT, _STDERR, _STATUS = 1, 2, 3

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"

# Kind → (path of its API, name in the plural, whether it lives in a namespace).
_KINDS = {
    "Namespace": ("/api/v1", "namespaces", False),
    "ServiceAccount": ("/api/v1", "serviceaccounts", True),
    "Service": ("/api/v1", "services", True),
    "Pod": ("/api/v1", "pods", True),
    "Event": ("/api/v1", "events", True),
    "ConfigMap": ("/api/v1", "configmaps", True),
    "Node": ("/api/v1", "nodes", False),
    "Deployment": ("/apis/apps/v1", "deployments", True),
    "DaemonSet": ("/apis/apps/v1", "daemonsets", True),
    "Role": (_RBAC, "roles", True),
    "RoleBinding": (_RBAC, "rolebindings", True),
    "ClusterRole": (_RBAC, "clusterroles", False),
    "ClusterRoleBinding": (_RBAC, "clusterrolebindings", False),
    "CustomResourceDefinition": (
        "/apis/apiextensions.k8s.io/v1",
        "customresourcedefinitions",
        False,
    ),
    "MutatingWebhookConfiguration": (_ADMISSION, "mutatingwebhookconfigurations", False),
    "ValidatingWebhookConfiguration": (_ADMISSION, "validatingwebhookconfigurations", False),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers", True),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets", True),
    "DestinationRule": ("/apis/networking.istio.io/v1", "destinationrules", True),
    "VirtualService": ("/apis/networking.istio.io/v1", "virtualservices", True),
    "Gateway": ("/apis/networking.istio.io/v1", "gateways", True),
    "PeerAuthentication": ("/apis/security.istio.io/v1", "peerauthentications", True),
}


class Unreachable(Exception):
    """There is no API server to ask; the text says which one and what to do."""


class Refused(Exception):
    """The API server answered, but not with what was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Cluster(Protocol):
    """The calls that a release makes; tests put a cluster of their own in its place."""

    def get(self, item: Block) -> Block | None: ...

    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[Block]: ...

    def serves(self, kind: str) -> bool: ...

    def dry_run(self, item: Block) -> Block: ...

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> str: ...

    def log(self, namespace: str, pod: str, container: str, lines: int) -> str: ...


class KubernetesCluster:
    """A cluster behind a kubeconfig. It may be used from several threads.

    Paths instead of the client's models and its discovery: the models take a second to import and
    know none of Istio's kinds, and discovery is thirty requests for eleven known paths.
    """

    def __init__(self, kubeconfig: str) -> None:
        if not Path(kubeconfig).expanduser().is_file():
            raise Unreachable(
                f"there is no kubeconfig at {kubeconfig}: run playbooks/cluster.yml first"
            )
        from kubernetes import config

        self._kubeconfig = kubeconfig
        self._client = config.new_client_from_config(config_file=kubeconfig)

    def get(self, item: Block) -> Block | None:
        try:
            return self._ask("GET", _path_of(item))
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[Block]:
        """All objects of a kind; none if the cluster doesn't know the kind."""
        query = {"labelSelector": selector, "fieldSelector": fields}
        path = _collection(kind, namespace)
        try:
            answer = self._ask("GET", path, {key: text for key, text in query.items() if text})
        except Refused as error:
            if error.status == 404:
                return []
            raise
        # In a list the items' own kind and version are left out.
        named = {"apiVersion": answer["apiVersion"], "kind": kind}
        return [{**named, **item} for item in answer["items"]]

    def serves(self, kind: str) -> bool:
        api, plural, _namespaced = _KINDS[kind]
        try:
            answer = self._ask("GET", api)
        except Refused as error:
            if error.status == 404:
                return False
            raise
        return any(resource["name"] == plural for resource in answer["resources"])

    def dry_run(self, item: Block) -> Block:
        """What the object would be after a server-side apply."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "dryRun": "All"}
        return self._ask("PATCH", _path_of(item), query, item)

    def log(self, namespace: str, pod: str, container: str, lines: int) -> str:
        path = f"{_collection('Pod', namespace)}/{pod}/log"
        status, text = self._request("GET", path, {"container": container, "tailLines": str(lines)})
        return text if status == 200 else ""

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> str:
        """The standard output of a command in a container."""
        from kubernetes.stream import ws_client
        from websocket import WebSocketException, setdefaulttimeout

        # Or the connection to a node that died would be waited for without an end.
        setdefaulttimeout(_TIMEOUT)
        query = [("container", container), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in command]
        path = f"{_collection('Pod', namespace)}/{pod}/exec?{urlencode(query)}"
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
            output = str(session.read_channel(_STDOUT))
            errors = str(session.read_channel(_STDERR))
            status = str(session.read_channel(_STATUS))
            session.close()
        except (OSError, WebSocketException) as error:
            raise Refused(0, f"exec in {pod}: {error}") from error
        if '"Success"' not in status:
            raise Refused(
                0, f"exec of {' '.join(command)} in {pod}: {errors or status or 'no end'}"
            )
        return output

    def _ask(
        self, method: str, path: str, query: dict[str, str] | None = None, body: Block | None = None
    ) -> Block:
        status, text = self._request(method, path, query, body)
        if not 200 <= status < 300:
            raise Refused(status, f"{method} {path}: {status} {_message(text)}")
        answer: Block = json.loads(text)
        return answer

    def _request(
        self, method: str, path: str, query: dict[str, str] | None = None, body: Any = None
    ) -> tuple[int, str]:
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = "application/apply-patch+yaml"
        request = self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._client.call_api(*request, _request_timeout=_TIMEOUT)
            return int(answer.status), answer.read().decode("utf-8", "replace")
        except (HTTPError, OSError) as error:
            raise Unreachable(
                f"the API server of {self._kubeconfig} doesn't answer: {error}"
            ) from error


def _collection(kind: str, namespace: str | None) -> str:
    api, plural, _namespaced = _KINDS[kind]
    return f"{api}/namespaces/{namespace}/{plural}" if namespace else f"{api}/{plural}"


def _path_of(item: Block) -> str:
    if item["kind"] not in _KINDS:
        raise ValueError(f"{object_key(item)} is of a kind that a release doesn't have")
    namespaced = _KINDS[item["kind"]][2]
    namespace = item["metadata"]["namespace"] if namespaced else None
    return f"{_collection(item['kind'], namespace)}/{item['metadata']['name']}"


def _message(text: str) -> str:
    """The server's own sentence, where it has one."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:300]
