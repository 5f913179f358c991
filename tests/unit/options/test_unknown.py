# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names that look like options and are none, and names that are somebody's own."""

from __future__ import annotations

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.options.unknown import (
    Finding,
    find,
    place,
)

from docs import roles

SPECS = roles.specs()
KNOWN = {
    *roles.cluster_spec()["options"],
    *(name for spec in SPECS.values() for name in spec["options"]),
}


def told(*names: str) -> list[str]:
    return [str(finding) for finding in find(names, KNOWN, SPECS)]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("kubernetes_verion", "kubernetes_version"),
        ("kubernetesVersion", "kubernetes_version"),
        ("pod_cird", "pod_cidr"),
        ("pods_cidr", "pod_cidr"),
        ("service_cidrs", "service_cidr"),
        ("api_endpont", "api_endpoint"),
        ("istio_gateway_replica_count", "istio_gateway_replicas"),
        ("istio_replica", "istio_istiod_replicas"),
        ("istio_http_node_port", "istio_gateway_http_node_port"),
        ("control_plane_kubelet_conf", "control_plane_kubeconfig"),
        ("preflight_memory_mb", "preflight_min_memory_mb"),
        ("node_sysctl", "node_sysctls"),
        ("node_ips", "node_ip"),
        ("verify_request", "verify_requests"),
        ("releases", "release"),
    ],
)
def test_the_nearest_name_is_offered(name: str, nearest: str) -> None:
    assert told(name) == [f"{name}: unknown; did you mean {nearest}?"]


@pytest.mark.parametrize(
    "name",
    ["my_site_name", "site", "cluster_name", "ntp_servers", "timezone", "users", "version", "env"],
)
def test_what_is_somebodys_own_is_left_alone(name: str) -> None:
    assert told(name) == []


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("node_exporter_version", "node"),
        ("registry_password", "registry"),
        ("control_plane_taint_effect", "control_plane"),
    ],
)
def test_a_roles_name_alone_is_told_but_no_mistake(name: str, role: str) -> None:
    assert find([name], KNOWN, SPECS) == [Finding(name, "", role)]
    assert told(name) == [
        f"{name}: begins like an option of the role {role}, which has no such one"
    ]


def test_every_option_is_known_and_no_two_are_taken_for_each_other() -> None:
    assert told(*KNOWN) == []


@pytest.mark.parametrize("option", sorted(KNOWN))
def test_one_letter_less_is_found_for_every_option(option: str) -> None:
    for position in range(len(option)):
        name = option[:position] + option[position + 1 :]
        if name not in KNOWN and len(option) > 5:
            assert find([name], KNOWN, SPECS)[0].nearest, name


def test_all_are_told_at_once() -> None:
    assert [finding.name for finding in find(["pod_cird", "a", "node_ips"], KNOWN, SPECS)] == [
        "node_ips",
        "pod_cird",
    ]


GROUPS = {
    "all": ["control", "worker-1", "worker-2"],
    "workers": ["worker-1", "worker-2"],
    "ungrouped": [],
}


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        (["worker-2", "worker-1"], "group workers"),
        (["control", "worker-1", "worker-2"], "all"),
        (["worker-1"], "worker-1"),
        (["worker-1", "control"], "control, worker-1"),
    ],
)
def test_a_place_is_told_in_few_words(hosts: list[str], words: str) -> None:
    assert place(hosts, GROUPS) == words
