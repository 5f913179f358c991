# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps that bring a running cluster to its description, on a control-plane machine.

What may fail comes first and puts back what it changed; what records the description in the
cluster comes last. So a run that was stopped anywhere leaves something that the next one sees.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import (
    kubelet,
    marks,
    static_pods,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import (
    ADMIN_CONF,
    BINARIES,
    Done,
    KubeadmError,
    image_digests,
    kubeadm,
    kubectl,
    must,
    wrong_images,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.documents import as_text
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.observed import RESTART

PKI = Path("/etc/kubernetes/pki")
ROLLOUT_SECONDS = 120
SYSTEM = ("-n", "kube-system")
PROXY = "daemonset/kube-proxy"
PROXY_CONFIG = "configmap/kube-proxy"

_PHASE = ("init", "phase")

Documents = list[dict[str, Any]]
Step = Mapping[str, Any]


def act(step: Step, documents: Documents, images: Mapping[str, str], node: str) -> None:
    """Make one step; `images` are the names and digests that the control plane may run."""
    text = as_text(documents)
    makers: dict[str, Callable[[], None]] = {
        "images": lambda: pull(text, images),
        "certificate": lambda: _certificate(documents),
        "manifest": lambda: static_pods.regenerate(step["component"], text),
        "kubelet": lambda: kubelet.reconfigure(
            [str(BINARIES / "kubeadm"), *_PHASE, "kubelet-start", "--config=/dev/stdin"], text
        ),
        "upload": lambda: _phase(text, "upload-config", "all"),
        "kube-proxy": lambda: _proxy(step["config"]),
        "coredns": lambda: _coredns(text),
        "node": lambda: _mark(node, step["labels"], step["taints"]),
    }
    makers[step["name"]]()


def _phase(text: str, *phase: str) -> None:
    kubeadm(*_PHASE, *phase, "--config=/dev/stdin", stdin=text)


def pull(text: str, images: Mapping[str, str]) -> None:
    """Have the images of the control plane, and see that they are the bundle's."""
    kubeadm("config", "images", "pull", "--config=/dev/stdin", stdin=text)
    wrong = wrong_images(dict(images), image_digests())
    if wrong:
        raise KubeadmError(
            "images that are not what the bundle's lock says, so nothing was started; remove "
            "them with `ctr --namespace k8s.io images rm NAME`, run playbooks/registry.yml, "
            "which brings the registry up to date, and the same again:\n" + "\n".join(wrong)
        )


def _certificate(documents: Documents) -> None:
    """Make the API server's certificate anew, beside the old one, which is replaced at the end.

    The API server reads it again by itself.
    """
    with tempfile.TemporaryDirectory(prefix=".roost-", dir=PKI) as folder:
        for name in ("ca.crt", "ca.key"):
            (Path(folder) / name).symlink_to(PKI / name)
        elsewhere = [
            {**document, "certificatesDir": folder}
            if document["kind"] == "ClusterConfiguration"
            else document
            for document in documents
        ]
        _phase(as_text(elsewhere), "certs", "apiserver")
        # Between these two it keeps what it has loaded, for a pair that doesn't fit is refused.
        for name in ("apiserver.key", "apiserver.crt"):
            (Path(folder) / name).replace(PKI / name)


def _proxy(config: str) -> None:
    """A new configuration and a restart; the old one again where kube-proxy doesn't run with it."""
    before = json.loads(_kubectl("get", PROXY_CONFIG, *SYSTEM, "-o", "json"))["data"]["config.conf"]
    try:
        _configure_proxy(config)
    except KubeadmError as error:
        if before == config:
            raise
        _configure_proxy(before)
        raise KubeadmError(
            "kube-proxy doesn't run with the new configuration, and has the old one again; correct "
            f"its configuration in the inventory: {error}"
        ) from error


def _configure_proxy(config: str) -> None:
    # The annotation stays until the restart has ended, for a run that is stopped in between.
    pending = {"metadata": {"annotations": {RESTART: "pending"}}, "data": {"config.conf": config}}
    _patch(PROXY_CONFIG, pending, *SYSTEM)
    _kubectl("rollout", "restart", PROXY, *SYSTEM)
    _wait_for(PROXY)
    _patch(PROXY_CONFIG, {"metadata": {"annotations": {RESTART: None}}}, *SYSTEM)


def name_service(text: str) -> None:
    """Make what is missing of CoreDNS. kubeadm itself doesn't, where half of it is there: it wants
    to migrate a configuration of another version than its own, and knows no newer ones."""
    apply = (f"--kubeconfig={ADMIN_CONF}", "apply", "--server-side", "--force-conflicts", "-f", "-")
    must([str(BINARIES / "kubectl"), *apply], stdin=_dns_manifest(text))


def _coredns(text: str) -> None:
    """Another image; replicas and configuration, which are others' to change, stay."""
    image = re.search(r"^ *image: (\S+)$", _dns_manifest(text), re.MULTILINE)
    if image is None:
        raise KubeadmError("kubeadm prints no image of CoreDNS, expected one in its Deployment")
    _kubectl("set", "image", "deployment/coredns", f"coredns={image[1]}", *SYSTEM)
    _wait_for("deployment/coredns")


def _dns_manifest(text: str) -> str:
    return kubeadm(
        *_PHASE, "addon", "coredns", "--print-manifest", "--config=/dev/stdin", stdin=text
    )


def _mark(node: str, labels: Mapping[str, str], taints: Sequence[marks.Taint]) -> None:
    def read() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(_kubectl("get", "node", node, "-o", "json"))
        return found

    def patch(content: Mapping[str, Any]) -> bool:
        done = _ask_to_patch(f"node/{node}", content)
        if done.code and "Conflict" not in done.err and "has been modified" not in done.err:
            raise KubeadmError(f"labels and taints of {node} are refused: {done.err.strip()}")
        return done.code == 0

    marks.apply(read, patch, labels, taints, marks.BY_KUBEADM)


def _wait_for(workload: str) -> None:
    limit = f"--timeout={ROLLOUT_SECONDS}s"
    asked = ["rollout", "status", workload, *SYSTEM, limit]
    # Not by kubectl(), whose requests are given up after a few seconds: this one watches.
    must([str(BINARIES / "kubectl"), f"--kubeconfig={ADMIN_CONF}", *asked])


def _patch(what: str, patch: Mapping[str, Any], *place: str) -> None:
    done = _ask_to_patch(what, patch, *place)
    if done.code:
        raise KubeadmError(f"{what} can't be changed: {done.err.strip()}")


def _ask_to_patch(what: str, patch: Mapping[str, Any], *place: str) -> Done:
    return kubectl(
        ADMIN_CONF, "patch", what, *place, "--type=merge", f"--patch={json.dumps(patch)}"
    )


def _kubectl(*arguments: str) -> str:
    done = kubectl(ADMIN_CONF, *arguments)
    if done.code:
        raise KubeadmError(
            f"`kubectl {' '.join(arguments)}` ended with {done.code}: {done.err.strip()}"
        )
    return done.out
