# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Release blocks and a bundle's lock for tests."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release import images, planning, spec
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release

SERVICES = ("app", "model-service")


def tag(service: str, version: str) -> str:
    return f"roost.internal/digits-{service}:{version}"


def digest(reference: str) -> str:
    return "sha256:" + hashlib.sha256(reference.encode()).hexdigest()


def lock(*versions: str) -> dict[str, Any]:
    components: dict[str, Any] = {
        "kubelet": {"kind": "file", "name": "files/kubelet:v1.36.3", "blob": digest("kubelet")}
    }
    for version in versions or ("v1", "v2", "v3"):
        for service in SERVICES:
            name = tag(service, version)
            components[f"{service}-{version}"] = {
                "kind": "image",
                "name": name,
                "digest": digest(name),
            }
    return {"backend": "build", "components": components}


def digests() -> dict[str, str]:
    return images.lock_digests(lock())


def block(**changes: Any) -> dict[str, Any]:
    """The release of the samples, with some of its top-level keys in another way; None removes."""
    base: dict[str, Any] = {
        "name": "digits",
        "namespace": "digits",
        "stable": "v1",
        "canary": {"version": "v2", "weight": 10},
        "versions": {
            version: {service: tag(service, version) for service in SERVICES}
            for version in ("v1", "v2", "v3")
        },
        "services": {
            "app": {"port": 8080, "replicas": 2, "entry": True},
            "model-service": {"port": 8080, "replicas": 2},
        },
    }
    for key, value in changes.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = value
    return copy.deepcopy(base)


def resolved(**changes: Any) -> dict[str, Any]:
    return planning.accept(block(**changes), digests())


def release(**changes: Any) -> Release:
    found, problems = spec.read(resolved(**changes))
    assert found is not None, problems
    return found
