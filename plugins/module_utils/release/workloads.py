# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import images, names
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release, Service
from ansible_collections.roost.cluster.plugins.module_utils.release.telemetry import (
    HISTOGRAM_BUCKETS,
    histogram_annotation,
)

_USER = 10001
_LEVELS = ("enforce", "warn", "audit")


def namespace(release: Release) -> Block:
    labels = {"istio-injection": "enabled", **names.common_labels(release.name)}
    for level in _LEVELS:
        labels[f"pod-security.kubernetes.io/{level}"] = "restricted"
        labels[f"pod-security.kubernetes.io/{level}-version"] = "latest"
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": release.namespace, "labels": labels},
    }


def service_account(release: Release, service: Service) -> Block:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(release, service.name, service),
        "automountServiceAccountToken": False,
    }


def kube_service(release: Release, service: Service) -> Block:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(release, service.name, service),
        "spec": {
            "selector": {"app": service.name, names.PART_OF: release.name},
            "ports": [
                {
                    "name": "http",
                    "appProtocol": "http",
                    "protocol": "TCP",
                    "port": service.port,
                    "targetPort": "http",
                }
            ],
        },
    }


def disruption_budget(release: Release, service: Service, version: str) -> Block:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(
            release, names.workload_name(service.name, version), service, version
        ),
        "spec": {
            # One at a time. It is maxUnavailable and not minAvailable so that a single replica
            # can be moved too: a budget that allows nothing blocks a drain for ever.
            "maxUnavailable": 1,
            # Nor do pods that don't work hold up a drain.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": _selector(service, version)},
        },
    }


def deployment(release: Release, service: Service, version: str) -> Block:
    image = images.parse(release.versions[version][service.name])
    if image is None or image.digest is None:
        raise ValueError(f"versions.{version}.{service.name} was not resolved to a digest")
    metadata = _metadata(release, names.workload_name(service.name, version), service, version)
    metadata["annotations"] = {names.IMAGE_ANNOTATION: image.reference}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": release.replicas(service.name, version),
            "revisionHistoryLimit": 2,
            # Shorter than the time the role waits, so that Kubernetes names the reason first.
            "progressDeadlineSeconds": 240,
            "selector": {"matchLabels": _selector(service, version)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": _pod(release, service, version, image.pinned),
        },
    }


def _pod(release: Release, service: Service, version: str, image: str) -> Block:
    return {
        "metadata": {
            "labels": _labels(release, service, version),
            "annotations": {
                HISTOGRAM_BUCKETS: histogram_annotation(),
                # With any of these four given, the proxy gets nothing from the mesh's defaults.
                "sidecar.istio.io/proxyCPU": "25m",
                "sidecar.istio.io/proxyMemory": "64Mi",
                "sidecar.istio.io/proxyCPULimit": "1",
                "sidecar.istio.io/proxyMemoryLimit": "256Mi",
            },
        },
        "spec": {
            "serviceAccountName": service.name,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            # No settings for the proxy's own draining: as a native sidecar it starts to drain when
            # the pod is told to end, and ends after the service has.
            "terminationGracePeriodSeconds": release.drain.grace_seconds,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                # On the pod, not the container: the injected containers inherit it, and Pod
                # Security `restricted` asks it of them too.
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "topologySpreadConstraints": [_spread(release, service, version)],
            "containers": [_container(release, service, image)],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
        },
    }


def _spread(release: Release, service: Service, version: str) -> Block:
    """Each version's pods of each service spread over the nodes.

    `DoNotSchedule` makes this certain and not only likely. It can't leave pods waiting while a
    node is drained or down, because such a node is tainted and `nodeTaintsPolicy: Honor` leaves
    tainted nodes out of the count; by default they count as empty and would block. Only pods of
    the same template are compared, or the old ones would decide where a rolling update's new
    ones go. With one worker there is nothing to spread over, and it is a wish for when there are
    more.
    """
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway" if release.workers == 1 else "DoNotSchedule",
        "nodeAffinityPolicy": "Honor",
        "nodeTaintsPolicy": "Honor",
        "labelSelector": {"matchLabels": _selector(service, version)},
        "matchLabelKeys": ["pod-template-hash"],
    }


def _container(release: Release, service: Service, image: str) -> Block:
    return {
        "name": service.name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": service.port, "protocol": "TCP"}],
        "env": [{"name": key, "value": value} for key, value in _env(release, service).items()],
        "resources": {kind: dict(amounts) for kind, amounts in service.resources.items()},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        # Istio rewrites these to its agent, so that they work with mutual TLS required.
        "startupProbe": _probe(service, period=1, failures=60),
        "readinessProbe": _probe(service, period=5, failures=2),
        "livenessProbe": _probe(service, period=10, failures=3),
        # The built-in sleep needs no shell in the image.
        "lifecycle": {"preStop": {"sleep": {"seconds": release.drain.pre_stop_seconds}}},
        # The last lines of a container that died are then part of its state.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _probe(service: Service, period: int, failures: int) -> Block:
    return {
        "httpGet": {"path": service.health_path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def _env(release: Release, service: Service) -> dict[str, str]:
    """The entry service is told where the others are: MODEL_SERVICE_URL, unless it is set."""
    env = {}
    if service.entry:
        for other in release.services.values():
            if not other.entry:
                variable = other.name.upper().replace("-", "_") + "_URL"
                env[variable] = f"http://{other.name}:{other.port}"
    return {**env, **service.env}


def _selector(service: Service, version: str) -> dict[str, str]:
    return {"app": service.name, "version": version}


def _labels(release: Release, service: Service, version: str | None) -> dict[str, str]:
    labels = {
        "app": service.name,
        "app.kubernetes.io/name": service.name,
        "app.kubernetes.io/instance": release.name,
        "app.kubernetes.io/component": "entry" if service.entry else "backend",
        **names.common_labels(release.name),
    }
    if version is not None:
        labels |= {"version": version, "app.kubernetes.io/version": version}
    return labels


def _metadata(
    release: Release, name: str, service: Service, version: str | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": release.namespace,
        "labels": _labels(release, service, version),
    }
