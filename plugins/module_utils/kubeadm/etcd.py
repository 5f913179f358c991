# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What etcd on this machine holds of the cluster, asked where the API server doesn't answer.

By HTTP and JSON, which etcd's client port speaks as well, with the certificate that kubeadm makes
for its health check. Only keys are read.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.urls import open_url
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import KubeadmError

RANGE = "https://127.0.0.1:2379/v3/kv/range"
PKI = Path("/etc/kubernetes/pki/etcd")
# Where the API server keeps everything, unless it is told otherwise.
PREFIX = "/registry/"
CLUSTER = f"{PREFIX}configmaps/kube-system/kubeadm-config"
NODES = f"{PREFIX}minions/"
ANSWER_SECONDS = 5


class Unreadable(KubeadmError):
    """etcd doesn't answer, or holds something else than a cluster's objects."""


@dataclass(frozen=True)
class Held:
    """Whether kubeadm init has recorded the cluster, and the names of its nodes."""

    cluster: bool
    nodes: tuple[str, ...]


def held() -> Held:
    """What etcd holds now."""
    # With another prefix a whole cluster would look like none.
    if not _count(*_below(PREFIX)) and (others := _count("\0", "\0")):
        raise Unreadable(f"etcd: found {others} keys and none below {PREFIX}, where all should be")
    first, last = _below(NODES)
    return Held(
        cluster=_count(CLUSTER) == 1,
        nodes=tuple(
            base64.b64decode(item["key"]).decode().removeprefix(NODES)
            for item in _ask(
                {"key": _coded(first), "range_end": _coded(last), "keys_only": True}
            ).get("kvs", [])
        ),
    )


def _below(prefix: str) -> tuple[str, str]:
    """All keys that begin so, as a range: the last character is the next one."""
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _count(key: str, end: str = "") -> int:
    asked = {"key": _coded(key), "range_end": _coded(end), "count_only": True}
    return int(_ask(asked).get("count", 0))


def _coded(key: str) -> str:
    return base64.b64encode(key.encode()).decode()


def _ask(body: Mapping[str, Any]) -> dict[str, Any]:
    try:
        with open_url(
            RANGE,
            method="POST",
            data=json.dumps(body),
            timeout=ANSWER_SECONDS,
            use_proxy=False,
            ca_path=str(PKI / "ca.crt"),
            client_cert=str(PKI / "healthcheck-client.crt"),
            client_key=str(PKI / "healthcheck-client.key"),
        ) as answer:
            found: dict[str, Any] = json.load(answer)
    except (OSError, ValueError) as error:
        raise Unreadable(f"etcd at 127.0.0.1:2379: found {error}, expected an answer") from error
    return found
