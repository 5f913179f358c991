# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The description of the deployment names the objects, networks and ports that there are."""

from __future__ import annotations

import re
from typing import Any

import docs_markdown
import pytest
import yaml
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from docs_markdown import REPOSITORY

from docs import roles
from tests.incidents.incidents import INCIDENTS

TEXT = (REPOSITORY / "docs" / "deployment.md").read_text()
ROW = re.compile(r"^\| (\w+) \| (`.+?`) \| .+ \| `([\w/.]+\.py)` \|$", re.MULTILINE)
# As in "the VirtualService `digits-gateway`".
NAMED = re.compile(
    r"\b(Deployment|DestinationRule|Gateway|Namespace|PeerAuthentication|PodDisruptionBudget"
    r"|Service|ServiceAccount|VirtualService) `([\w-]+)`"
)


def group_variables(name: str) -> dict[str, Any]:
    path = REPOSITORY / "inventory" / "group_vars" / "all" / f"{name}.yml"
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def objects_of(rendered: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(item["kind"], item["metadata"]["name"]) for item in rendered}


def test_the_table_lists_every_object_and_no_other(rendered: list[dict[str, Any]]) -> None:
    listed = [
        (kind, name)
        for kind, names, _ in ROW.findall(TEXT)
        for name in re.findall("`(.+?)`", names)
    ]
    assert len(listed) == len(set(listed))
    assert set(listed) == objects_of(rendered)


def test_the_table_names_the_file_that_makes_each_kind() -> None:
    rows = ROW.findall(TEXT)
    assert rows
    for kind, _, path in rows:
        assert f'"kind": "{kind}"' in (REPOSITORY / path).read_text(), (kind, path)


def test_objects_named_in_the_text_exist(rendered: list[dict[str, Any]]) -> None:
    prose = " ".join(docs_markdown.FENCE.sub("", TEXT).split())
    named = set(NAMED.findall(prose))
    assert len(named) >= 3
    assert named - objects_of(rendered) == set()


def test_the_split_is_that_of_the_file(release: Release) -> None:
    shares = re.findall(r"a share of the requests, (\d+) % at first", TEXT)
    assert release.canary is not None
    assert shares == [str(release.canary.weight)]


@pytest.mark.parametrize("variable", ["pod_cidr", "service_cidr"])
def test_networks_are_those_of_the_cluster(variable: str) -> None:
    assert f"| {group_variables('cluster')[variable]}" in TEXT


def test_ports_are_those_that_preflight_asks_for() -> None:
    variables = group_variables("cluster")
    ends = {
        name: str(variables[name]).rpartition(":")[2] for name in ("api_endpoint", "registry_port")
    }
    asked = {
        # A template takes the port from another variable.
        int(next((end for name, end in ends.items() if name in str(entry["port"])), entry["port"]))
        for kind in ("cluster", "control_plane")
        for entry in variables[f"preflight_ports_of_{kind}"]
    }
    table = TEXT.partition("| port | on |")[2].partition("\n\n")[0]
    named = {
        int(port)
        for row in table.splitlines()
        for port in re.findall(r"\d+", row.split("|")[1] if "|" in row else "")
    }
    assert asked - named == set()


def test_the_settings_that_can_be_changed_are_options_of_roles() -> None:
    text = (REPOSITORY / "docs" / "how-to.md").read_text()
    (block,) = re.findall(r"```yaml\n(control_plane_.*?)```", text, re.DOTALL)
    options = {name for spec in roles.specs().values() for name in spec["options"]}
    assert len(yaml.safe_load(block)) == 4
    assert yaml.safe_load(block).keys() <= options


def test_the_table_of_what_happens_is_what_is_measured() -> None:
    table = TEXT.partition("## 6. What happens when")[2].partition("\n## ")[0]
    numbers = r"\d+ \| \d+ \| \d+ \| [\d.]+ s \| \d+ s"
    rows = re.findall(rf"^\| ([\w -]+) \| {numbers} \|$", table, re.MULTILINE)
    assert rows == [incident.title for incident in INCIDENTS]
