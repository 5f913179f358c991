# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The picture of the routing names the objects, rules and numbers of the default release."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.roost.cluster.plugins.module_utils.release import routing, spec
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context

REPOSITORY = Path(__file__).resolve().parents[3]
PICTURE = (REPOSITORY / "docs" / "diagrams" / "routing.d2").read_text()


@pytest.fixture(scope="module")
def release() -> Release:
    path = REPOSITORY / "inventory" / "group_vars" / "all" / "release.yml"
    found, problems = spec.read(yaml.safe_load(path.read_text())["release"])
    assert found is not None, problems
    return found


@pytest.fixture(scope="module")
def rules(release: Release) -> dict[str, set[str]]:
    """The names of the rules of each VirtualService."""
    context = Context()
    routes: list[dict[str, Any]] = [
        routing.entry_route(release, list(release.weights.items()), context),
        *(
            routing.service_route(release, name, release.deployed, release.stable, context)
            for name in release.services
        ),
    ]
    return {
        route["metadata"]["name"]: {rule["name"] for rule in route["spec"]["http"]}
        for route in routes
    }


def test_rules_exist(rules: dict[str, set[str]]) -> None:
    named = re.findall(r"VirtualService(?: |\\n)([\w-]+), rule ([\w-]+)", PICTURE)
    assert len(named) == 3
    assert [rule for name, rule in named if rule not in rules.get(name, set())] == []


def test_weights_are_those_of_the_file(release: Release) -> None:
    drawn = re.findall(r'gateway -> app\.(v\d): "(\d+) %"', PICTURE)
    assert {version: int(weight) for version, weight in drawn} == dict(release.weights)


def test_pods_are_those_of_the_file(release: Release) -> None:
    drawn = re.findall(r'"(app|model-service) (v\d)(?:, |\\n)(\d+) pods', PICTURE)
    assert {(service, version): int(pods) for service, version, pods in drawn} == {
        (service, version): release.replicas(service, version)
        for service in release.services
        for version in release.deployed
    }
