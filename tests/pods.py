# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pods that tests start to look at a cluster from inside: they serve, and ask others."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from kubernetes import client, watch
from kubernetes.stream import stream

SERVER = Path(__file__).with_name("pod_server.py").read_text(encoding="utf-8")
ASK = """
import json, sys, urllib.error, urllib.request
url, headers, timeout = sys.argv[1], json.loads(sys.argv[2]), float(sys.argv[3])
try:
    answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
except urllib.error.HTTPError as error:
    answer = error
except OSError as error:
    print(json.dumps({"status": 0, "headers": {}, "body": repr(error)}))
    sys.exit()
headers = {key.lower(): value for key, value in answer.headers.items()}
try:
    body = answer.read().decode()
except OSError as error:
    body = repr(error)
print(json.dumps({"status": answer.status, "headers": headers, "body": body}))
"""
PORT = 8080
SECONDS = 90


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; status 0 if there was none, and the body then says why."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def get(url: str, seconds: float = 10, **headers: str) -> Answer:
    """What somebody outside the cluster is answered."""
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return _answer(answer)
    except urllib.error.HTTPError as error:
        return _answer(error)
    except OSError as error:
        return Answer(0, {}, repr(error))


def _answer(answer: Any) -> Answer:
    headers = {key.lower(): value for key, value in answer.headers.items()}
    return Answer(answer.status, headers, answer.read().decode())


def condition(pod: Any, kind: str) -> str:
    return next((each.status for each in pod.status.conditions or [] if each.type == kind), "")


class Pods:
    """Pods in a namespace of their own, which goes in the end.

    They keep to Pod Security `restricted`. Each answers HTTP on port 8080 with what it sees of a
    request (pod_server.py).
    """

    def __init__(self, api: Any, image: str, labels: dict[str, str]) -> None:
        self.api = api
        self.image = image
        self.labels = labels
        self.namespace = ""

    def __enter__(self) -> Pods:
        # A name that Kubernetes chooses, as the last one may still be going.
        metadata = {"generateName": "test-", "labels": self.labels}
        self.namespace = self.api.create_namespace({"metadata": metadata}).metadata.name
        # Without its account no pod is let in.
        self._await(self.api.list_namespaced_service_account, "default", lambda _: True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.api.delete_namespace(self.namespace)

    def spec(self, name: str) -> dict[str, Any]:
        return {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "main",
                    "image": self.image,
                    "command": ["python3", "-c", SERVER, name, str(PORT)],
                    "ports": [{"containerPort": PORT}],
                    "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        }

    def start(self, name: str, node: str | None = None, spec: dict[str, Any] | None = None) -> None:
        extra = {"nodeName": node} if node else {}
        self.api.create_namespaced_pod(
            self.namespace,
            {
                "metadata": {"name": name, "labels": {"app": name}},
                "spec": {**self.spec(name), **extra, **(spec or {})},
            },
        )

    def wait(self, name: str) -> Any:
        """Return the pod when it is Ready."""
        return self._await(
            self.api.list_namespaced_pod, name, lambda pod: condition(pod, "Ready") == "True"
        )

    def serve(self, name: str) -> None:
        """A service of the pod's name that leads to it."""
        self.api.create_namespaced_service(
            self.namespace,
            {
                "metadata": {"name": name},
                "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": PORT}]},
            },
        )

    def execute(self, name: str, *command: str) -> str:
        """What a command in the pod prints."""
        connection = stream(
            client.CoreV1Api(self.api.api_client).connect_get_namespaced_pod_exec,
            name,
            self.namespace,
            container="main",
            command=list(command),
            stdout=True,
            stderr=True,
            stdin=False,
            tty=False,
            _preload_content=False,
        )
        connection.run_forever(timeout=60)
        output: str = connection.read_stdout() if connection.peek_stdout() else ""
        errors: str = connection.read_stderr() if connection.peek_stderr() else ""
        assert connection.returncode == 0, f"{command[0]} in {name}: {errors}"
        return output

    def ask(self, name: str, url: str, seconds: float = 5, **headers: str) -> Answer:
        """What the pod gets from there."""
        said = self.execute(name, "python3", "-c", ASK, url, json.dumps(headers), str(seconds))
        return Answer(**json.loads(said))

    def _await(self, listed: Any, name: str, is_fine: Any) -> Any:
        seen = None
        watched = watch.Watch()
        for event in watched.stream(
            listed,
            self.namespace,
            field_selector=f"metadata.name={name}",
            timeout_seconds=SECONDS,
        ):
            seen = event["object"]
            if is_fine(seen):
                watched.stop()
                return seen
        status = getattr(seen, "status", None)
        raise AssertionError(f"{self.namespace}/{name} not ready within {SECONDS} s: {status}")
