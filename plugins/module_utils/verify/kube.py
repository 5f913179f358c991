# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

TIMEOUT = 10
WORKERS = 8


class ApiError(Exception):
    """The Kubernetes API gave no usable answer; the text says to what and what to do."""


@dataclass(frozen=True)
class Executed:
    """A command that ran, or could not run, in a container. Without a code it never ended."""

    code: int | None
    output: str
    missing: bool = False
    """The image has no such command."""


class Api(Protocol):
    """The few calls that checks make; tests put recorded objects in its place."""

    def get(self, path: str) -> dict[str, Any]: ...

    def raw(self, path: str) -> tuple[int, str]: ...

    def execute(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> Executed: ...


class KubernetesApi:
    """Talks to the API server with the kubernetes client, safe to use from several threads.

    Objects stay the plain JSON that the server sent: building the client's model classes
    takes longer than the calls, and Istio's kinds have none.
    """

    def __init__(self, kubeconfig: str) -> None:
        if not Path(kubeconfig).is_file():
            raise ApiError(f"kubeconfig {kubeconfig} is missing: run playbooks/cluster.yml first")
        # Here, not at the top: a second of importing that --syntax-check and tests can do without.
        from kubernetes import config

        self._kubeconfig = kubeconfig
        try:
            self._client = config.new_client_from_config(config_file=kubeconfig)
        except config.ConfigException as error:
            raise ApiError(f"kubeconfig {kubeconfig} can't be used: {error}") from error

    def raw(self, path: str) -> tuple[int, str]:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            request = self._client.param_serialize("GET", path, auth_settings=["BearerToken"])
            response = self._client.call_api(*request, _request_timeout=TIMEOUT)
            return int(response.status), response.read().decode("utf-8", "replace")
        except (ApiException, HTTPError, OSError) as error:
            where = self._kubeconfig
            raise ApiError(f"the API server of {where} does not answer: {error}") from error

    def get(self, path: str) -> dict[str, Any]:
        status, text = self.raw(path)
        if status != 200:
            raise ApiError(f"GET {path}: expected status 200, got {status}: {text[:300]}")
        answer = json.loads(text)
        if not isinstance(answer, dict):
            raise ApiError(f"GET {path}: expected an object, got {text[:100]}")
        return answer

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> Executed:
        from kubernetes import client, config
        from kubernetes.stream import stream

        # stream() replaces a method of its client while it runs: never the shared one.
        core = client.CoreV1Api(config.new_client_from_config(config_file=self._kubeconfig))
        try:
            session = stream(
                core.connect_get_namespaced_pod_exec,
                pod,
                namespace,
                container=container,
                command=list(command),
                stdin=False,
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
            )
            session.run_forever(timeout=TIMEOUT)
            status = session.read_channel(3)
            output = str(session.read_all())
            session.close()
        except client.ApiException as error:
            return Executed(None, f"exec in {pod}: {error.status} {error.reason}")
        except OSError as error:
            return Executed(None, f"exec in {pod}: {error}")
        return executed(str(status), output)


def executed(status: str, output: str) -> Executed:
    """Read the status with which the API server ends an exec."""
    if not status:
        return Executed(None, output or f"no end within {TIMEOUT} s")
    try:
        answer = json.loads(status)
    except ValueError:
        return Executed(None, status)
    if answer.get("status") == "Success":
        return Executed(0, output)
    for cause in answer.get("details", {}).get("causes", []):
        if cause.get("reason") == "ExitCode" and str(cause.get("message", "")).isdigit():
            code = int(cause["message"])
            return Executed(code, output, missing=code == 127)
    message = str(answer.get("message", status))
    return Executed(None, message, missing=_names_missing_file(message))


def _names_missing_file(message: str) -> bool:
    return "executable file not found" in message or "no such file or directory" in message


def get_all(api: Api, paths: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The objects at several paths, fetched at the same time."""
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        answers = pool.map(api.get, paths.values())
        return dict(zip(paths, answers))  # noqa: B905


def items(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(answer.get("items") or [])


def is_ready(thing: Mapping[str, Any]) -> bool:
    """Whether a pod or a node has the condition Ready."""
    conditions = thing.get("status", {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def name(thing: Mapping[str, Any]) -> str:
    return str(thing["metadata"]["name"])


def label(thing: Mapping[str, Any], key: str) -> str:
    return str((thing["metadata"].get("labels") or {}).get(key, ""))


def leaving(thing: Mapping[str, Any]) -> bool:
    return bool(thing["metadata"].get("deletionTimestamp"))
