# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The default release, which documents and pictures describe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from ansible_collections.roost.cluster.plugins.module_utils.release import objects, spec
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from docs_markdown import REPOSITORY

DIGEST = f"@sha256:{'0' * 64}"


@pytest.fixture(scope="session")
def release() -> Release:
    path = REPOSITORY / "inventory" / "group_vars" / "all" / "release.yml"
    found, problems = spec.read(yaml.safe_load(path.read_text())["release"])
    assert found is not None, problems
    return found


@pytest.fixture(scope="session")
def rendered(release: Release) -> list[dict[str, Any]]:
    """Every object of the default release."""
    versions = {
        version: {service: image + DIGEST for service, image in pair.items()}
        for version, pair in release.versions.items()
    }
    return objects.derive(replace(release, versions=versions), Context())


@pytest.fixture(scope="session")
def rules(rendered: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The names of the rules of each VirtualService."""
    return {
        item["metadata"]["name"]: {rule["name"] for rule in item["spec"]["http"]}
        for item in rendered
        if item["kind"] == "VirtualService"
    }
