# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a worker needs of the API, asked on the controller with an administrator's rights.

A bootstrap token lives only as long as its join.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import repair
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import KubeadmError
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.control_plane import (
    random_token,
)

TOKEN_MINUTES = 10
SIGNED_SECONDS = 30
# Of one try to get an answer, of which there are four.
ANSWER_SECONDS = 5
CONFLICT = 409


@contextmanager
def connected(kubeconfig: str) -> Iterator[Any]:
    """A client of the API. It writes the administrator's key to temporary files and removes them
    when the process exits by itself, which Ansible's workers don't; so they get a folder of their
    own, which ends with the client."""
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise KubeadmError(
            "worker: the Python package kubernetes is missing on the controller"
        ) from error
    with tempfile.TemporaryDirectory(prefix="roost-") as folder:
        # As for all that asks the API: no proxy is between.
        configuration = client.Configuration(no_proxy="*")
        try:
            config.load_kube_config(
                config_file=kubeconfig,
                client_configuration=configuration,
                temp_file_path=folder,
            )
        except config.ConfigException as error:
            raise KubeadmError(
                f"{kubeconfig}: not a kubeconfig that can be used: {error}"
            ) from error
        yield client.CoreV1Api(client.ApiClient(configuration))


@contextmanager
def api_errors(kubeconfig: str, wanted: str) -> Iterator[None]:
    """Tells which API server didn't answer or refused, what it was asked for, and why."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (ApiException, HTTPError, OSError) as error:
        raise KubeadmError(
            f"the API server of {kubeconfig} {wanted}: found {error}; expected an answer. "
            f"{repair(str(error))}"
        ) from error


@contextmanager
def bootstrap_token(client: Any) -> Iterator[str]:
    """A bootstrap token for one join; revoked in any case."""
    token = random_token()
    identity, _dot, secret = token.partition(".")
    expires = datetime.now(timezone.utc) + timedelta(minutes=TOKEN_MINUTES)
    name = f"bootstrap-token-{identity}"
    body = {
        "metadata": {"name": name, "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": {
            "description": "for one join; removed when it has ended",
            "token-id": identity,
            "token-secret": secret,
            "expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "true",
            "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        },
    }
    client.create_namespaced_secret("kube-system", body, _request_timeout=ANSWER_SECONDS)
    try:
        _wait_until_signed(client, identity)
        yield token
    finally:
        client.delete_namespaced_secret(name, "kube-system", _request_timeout=ANSWER_SECONDS)


def _wait_until_signed(client: Any, identity: str) -> None:
    """kubeadm asks only every 5 s whether the cluster's address is signed with the token."""
    until = time.monotonic() + SIGNED_SECONDS
    while True:
        data = client.read_namespaced_config_map(
            "cluster-info", "kube-public", _request_timeout=ANSWER_SECONDS
        ).data
        if f"jws-kubeconfig-{identity}" in data:
            return
        if time.monotonic() > until:
            raise KubeadmError(
                f"configmap kube-public/cluster-info: not signed with the new token within "
                f"{SIGNED_SECONDS} s, which kube-controller-manager does; look at its log"
            )
        time.sleep(0.1)  # polled: it takes a few hundredths of a second


def ca_hash(client: Any) -> str:
    """The CA's public key as kubeadm pins it: sha256 over its SubjectPublicKeyInfo."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    path = client.api_client.configuration.ssl_ca_cert
    with open(path, "rb") as handle:  # noqa: PTH123  a path that the client made
        certificate = x509.load_pem_x509_certificate(handle.read())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(key).hexdigest()}"


def node_access(client: Any, name: str) -> tuple[Callable[[], Any], Callable[[Any], bool]]:
    """How to read a node, and how to change it as long as it is as it was read."""
    from kubernetes.client.exceptions import ApiException

    def read() -> Any:
        node = client.read_node(name, _request_timeout=ANSWER_SECONDS)
        return client.api_client.sanitize_for_serialization(node)

    def patch(content: Any) -> bool:
        try:
            client.patch_node(
                name,
                content,
                _content_type="application/merge-patch+json",
                _request_timeout=ANSWER_SECONDS,
            )
        except ApiException as error:
            if error.status == CONFLICT:
                return False
            raise KubeadmError(f"labels and taints of {name} are refused: {error.body}") from error
        return True

    return read, patch
