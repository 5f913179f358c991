# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pictures of the routing name the objects, rules and numbers of the default release."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from ansible_collections.roost.cluster.plugins.module_utils.release import (
    entry_rules,
    envoy_filters,
    names,
    rollout_settings,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.model import (
    Mirror,
    Override,
    Progress,
    RateLimit,
    Release,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from docs_markdown import REPOSITORY

DIAGRAMS = REPOSITORY / "docs" / "diagrams"
PICTURE = (DIAGRAMS / "routing.d2").read_text()


def test_rules_exist(rules: dict[str, set[str]]) -> None:
    named = re.findall(r"VirtualService(?: |\\n)([\w-]+), .*?\brule ([\w-]+)", PICTURE)
    assert len(named) == 3
    assert [rule for name, rule in named if rule not in rules.get(name, set())] == []


def test_rules_of_one_request_exist(rules: dict[str, set[str]]) -> None:
    named = re.findall(r"\(rule ([\w-]+)\)", (DIAGRAMS / "request-sequence.d2").read_text())
    assert named == ["weights", "from-v1"]
    assert set(named) <= set.union(*rules.values())


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


def test_what_options_name_is_what_they_render(release: Release) -> None:
    progress = Progress("abcdefgh", (10,))
    asked = replace(
        release,
        override=Override("x-release"),
        sticky=True,
        progress=progress,
        mirror=Mirror("v3", 100),
        rate_limit=RateLimit(100, 100),
    )
    text = json.dumps(entry_rules.rules(asked, Context()))
    document = (REPOSITORY / "docs" / "deployment.md").read_text()
    for word in ("x-release", "roost-digits", "v2-override"):
        assert word in text
        assert f"`{word}" in document or f"{word}`" in document
    assert "x-release" in PICTURE
    limit = envoy_filters.rate_limit(asked, RateLimit(100, 100), Context())
    assert f"{limit['kind']} `{limit['metadata']['name']}`" in document


def test_steps_of_a_rollout_are_the_defaults() -> None:
    text = (DIAGRAMS / "rollout-sequence.d2").read_text()
    (drawn,) = re.findall(r"for each step:\\n([\d, ]+) %", text)
    *steps, last = rollout_settings.Settings().steps
    assert [int(step) for step in drawn.split(", ")] == steps
    assert last == 100
    assert "weight 100" in text


def test_a_rollout_keeps_what_the_document_says(release: Release) -> None:
    document = (REPOSITORY / "docs" / "rollouts.md").read_text()
    named = re.findall(r"(?:ConfigMap|Lease) `([\w-]+)`", document)
    assert set(named) == {names.rollout_name(release.name)}
