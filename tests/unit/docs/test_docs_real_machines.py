# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What docs/real-machines.md shows is what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.roost.cluster.plugins.module_utils.node.checks import ARGUMENTS

REPOSITORY = Path(__file__).resolve().parents[3]
TEXT = (REPOSITORY / "docs" / "real-machines.md").read_text()
EXAMPLE = REPOSITORY / "docs" / "examples" / "real-machines.yml"


def inventory(text: str) -> Any:
    return yaml.safe_load(text)["all"]["children"]["cluster"]


def test_the_inventory_is_the_example() -> None:
    (block,) = re.findall(r"```yaml\n( +all:.*?)```", TEXT, re.DOTALL)
    assert inventory(block) == inventory(EXAMPLE.read_text())


def test_the_example_has_the_form_of_ours() -> None:
    given = inventory(EXAMPLE.read_text())
    ours = inventory((REPOSITORY / "inventory" / "hosts.yml").read_text())
    assert {name: set(group["hosts"]) for name, group in given["children"].items()} == {
        name: set(group["hosts"]) for name, group in ours["children"].items()
    }
    assert given["vars"]["node_ip"] == ours["vars"]["node_ip"]


def test_the_systems_are_those_that_preflight_takes() -> None:
    (row,) = re.findall(r"^\| system \| (.*?), amd64", TEXT, re.MULTILINE)
    told = {
        name.lower(): re.findall(r"[\d.]+", part)
        for name, part in re.findall(r"([A-Z]\w+) ([^A-Z]+)", row)
    }
    assert told == ARGUMENTS["supported_systems"]["default"]


def test_the_ports_are_those_that_the_warning_names() -> None:
    """With what the inventory's expressions come to by default."""
    variables = yaml.safe_load((REPOSITORY / "inventory/group_vars/all/cluster.yml").read_text())
    values = {"ansible_port | default(22)": 22, "api_endpoint.rpartition(':')[2]": 6443}
    named = variables["firewall_ports_of_cluster"] + variables["firewall_ports_of_control_plane"]
    wanted = set()
    for port in named:
        name = re.sub(r"\{\{ (.*?) \}\}", lambda found: found[1], port)
        expression, _, kind = name.rpartition("/")
        wanted.add(f"{values.get(expression, variables.get(expression, expression))}/{kind}")
    rows = re.findall(r"^\| (\d+/.*?) \|", TEXT, re.MULTILINE)
    assert {port for row in rows for port in row.split(", ")} == wanted
