# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import object_key
from ansible_collections.roost.cluster.plugins.module_utils.release import names, objects
from ansible_collections.roost.cluster.plugins.module_utils.release.telemetry import (
    histogram_annotation,
    histogram_edges,
)
from release_samples import digest, release, tag
from release_world import CONTEXT
from test_release_objects import ITEMS, of_kind

DEPLOYMENTS = list(of_kind("Deployment").values())


def pod_of(deployment: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def restricted(pod: dict[str, Any]) -> list[str]:
    """What Pod Security `restricted` has against a pod, as far as our pods use it."""
    against = []
    if pod.get("hostNetwork") or pod.get("hostPID") or pod.get("hostIPC"):
        against.append("host namespaces")
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "projected", "secret"}
    for volume in pod.get("volumes", []):
        against += [f"volume {kind}" for kind in volume.keys() - {"name"} - allowed]
    context = pod.get("securityContext", {})
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        own = container.get("securityContext", {})
        merged = {**context, **own}
        checks = {
            "privilege escalation": own.get("allowPrivilegeEscalation") is False,
            "privileged": not own.get("privileged"),
            "capabilities": own.get("capabilities", {}).get("drop") == ["ALL"]
            and set(own["capabilities"].get("add", [])) <= {"NET_BIND_SERVICE"},
            "non-root": merged.get("runAsNonRoot") is True and merged.get("runAsUser") != 0,
            "seccomp": merged.get("seccompProfile", {}).get("type")
            in ("RuntimeDefault", "Localhost"),
            "host port": not any("hostPort" in port for port in container.get("ports", [])),
        }
        against += [name for name, fine in checks.items() if not fine]
    return against


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=object_key)
def test_pods_satisfy_restricted(deployment: dict[str, Any]) -> None:
    pod = pod_of(deployment)
    assert restricted(pod) == []
    # Injected containers inherit from the pod alone.
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["automountServiceAccountToken"] is False


def test_the_check_for_restricted_can_fail() -> None:
    assert restricted({"containers": [{}], "volumes": [{"name": "a", "hostPath": {}}]}) != []


def test_the_namespace_enforces_restricted_and_injects() -> None:
    labels = of_kind("Namespace")["digits"]["metadata"]["labels"]
    assert labels["istio-injection"] == "enabled"
    for level in ("enforce", "warn", "audit"):
        assert labels[f"pod-security.kubernetes.io/{level}"] == "restricted"
        assert labels[f"pod-security.kubernetes.io/{level}-version"] == "latest"


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=object_key)
def test_pods_run_digests(deployment: dict[str, Any]) -> None:
    labels = deployment["metadata"]["labels"]
    reference = tag(labels["app"], labels["version"])
    (container,) = pod_of(deployment)["containers"]
    assert container["image"] == f"{reference.partition(':')[0]}@{digest(reference)}"
    assert deployment["metadata"]["annotations"][names.IMAGE_ANNOTATION] == reference


def test_a_tag_alone_is_a_mistake_of_the_caller() -> None:
    unresolved = release()
    pair = {"app": "a/b:1", "model-service": "a/c:1"}
    broken = type(unresolved)(**{**vars(unresolved), "versions": {"v1": pair, "v2": pair}})
    with pytest.raises(ValueError, match=r"versions\.v1\.app was not resolved"):
        objects.derive(broken, CONTEXT)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=object_key)
def test_selectors_hold_only_the_deployments_own_pods(deployment: dict[str, Any]) -> None:
    wanted = deployment["spec"]["selector"]["matchLabels"].items()
    found = [
        other["metadata"]["name"]
        for other in DEPLOYMENTS
        if wanted <= other["spec"]["template"]["metadata"]["labels"].items()
    ]
    assert found == [deployment["metadata"]["name"]]
    budget = of_kind("PodDisruptionBudget")[deployment["metadata"]["name"]]["spec"]
    assert budget["selector"]["matchLabels"].items() == wanted


@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_a_budget_always_lets_one_pod_go(replicas: int) -> None:
    services = {
        "app": {"port": 8080, "entry": True, "replicas": replicas},
        "model-service": {"port": 8080},
    }
    items = objects.derive(release(services=services), CONTEXT)
    for budget in of_kind("PodDisruptionBudget", items).values():
        assert budget["spec"]["maxUnavailable"] == 1
        assert "minAvailable" not in budget["spec"]
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=object_key)
def test_pods_are_spread_and_a_drained_node_does_not_count(deployment: dict[str, Any]) -> None:
    (constraint,) = pod_of(deployment)["topologySpreadConstraints"]
    assert constraint["topologyKey"] == "kubernetes.io/hostname"
    assert constraint["whenUnsatisfiable"] == "DoNotSchedule"
    assert constraint["nodeTaintsPolicy"] == "Honor"
    assert constraint["matchLabelKeys"] == ["pod-template-hash"]
    assert constraint["labelSelector"] == deployment["spec"]["selector"]


@pytest.mark.parametrize(("workers", "wanted"), [(1, "ScheduleAnyway"), (2, "DoNotSchedule")])
def test_with_one_worker_spreading_is_a_wish(workers: int, wanted: str) -> None:
    items = objects.derive(replace(release(), workers=workers), CONTEXT)
    for deployment in of_kind("Deployment", items).values():
        (constraint,) = pod_of(deployment)["topologySpreadConstraints"]
        assert constraint["whenUnsatisfiable"] == wanted


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=object_key)
def test_pods_end_without_losing_requests(deployment: dict[str, Any]) -> None:
    pod = pod_of(deployment)
    sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 0 < sleep < pod["terminationGracePeriodSeconds"]
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=object_key)
def test_probes_and_resources(deployment: dict[str, Any]) -> None:
    (container,) = pod_of(deployment)["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "http"}
    for kind in ("requests", "limits"):
        assert container["resources"][kind].keys() == {"cpu", "memory"}


def env_of(items: list[dict[str, Any]], name: str) -> dict[str, str]:
    (container,) = pod_of(of_kind("Deployment", items)[name])["containers"]
    return {item["name"]: item["value"] for item in container["env"]}


def test_the_entry_is_told_where_the_others_are() -> None:
    assert env_of(ITEMS, "app-v1") == {"MODEL_SERVICE_URL": "http://model-service:8080"}
    assert env_of(ITEMS, "model-service-v1") == {}


def test_an_address_that_is_set_stays() -> None:
    services = {
        "app": {"port": 8080, "entry": True, "env": {"MODEL_SERVICE_URL": "http://x", "B": "c"}},
        "model-service": {"port": 8080},
    }
    items = objects.derive(release(services=services), CONTEXT)
    assert env_of(items, "app-v1") == {"MODEL_SERVICE_URL": "http://x", "B": "c"}


# Telemetry.


def test_histogram_edges_are_close_enough_and_exact() -> None:
    edges = histogram_edges()
    assert edges[0] == 1.0
    assert edges[-1] == 10_000.0
    assert all(1 < high / low <= 1.15 + 1e-9 for low, high in zip(edges, edges[1:], strict=False))
    # Two significant digits, which is what Envoy's histograms keep.
    assert all(re.fullmatch(r"[1-9][0-9]?0*", f"{edge * 10:.0f}") for edge in edges)


def test_every_pod_has_the_edges() -> None:
    for deployment in DEPLOYMENTS:
        annotations = deployment["spec"]["template"]["metadata"]["annotations"]
        assert annotations["sidecar.istio.io/statsHistogramBuckets"] == histogram_annotation()
    assert histogram_annotation().startswith('{"cluster.outbound":[1,1.1,1.2,')
