# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cluster's options: typed, equal to the inventory's defaults, and all within reach."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import roles
from tests.unit.layout.test_role_options import lists_without_elements, misfits

REPOSITORY = Path(__file__).resolve().parents[3]
INVENTORY = REPOSITORY / "inventory"
PLAYBOOKS = sorted(REPOSITORY.glob("playbooks/**/*.yml"))
OPTIONS = roles.cluster_spec()["options"]
ROLE_OPTIONS = {
    name: option for spec in roles.specs().values() for name, option in spec["options"].items()
}


def variables(pattern: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(INVENTORY.glob(pattern)):
        found.update(yaml.safe_load(path.read_text()))
    return found


def for_all() -> dict[str, Any]:
    hosts = yaml.safe_load((INVENTORY / "hosts.yml").read_text())
    return variables("group_vars/all/*.yml") | hosts["all"]["children"]["cluster"]["vars"]


def of_the_drill() -> dict[str, Any]:
    """What playbooks/drill.yml hands to its module, which has the defaults."""
    module = REPOSITORY / "plugins" / "modules" / "rollout_drill.py"
    documentation = yaml.safe_load(module.read_text().split('"""')[1])
    handed = re.findall(
        r"(\w+): \"\{\{ drill_\1 ", (REPOSITORY / "playbooks/drill.yml").read_text()
    )
    return {f"drill_{name}": documentation["options"][name] for name in handed}


def joined(value: Any) -> Any:
    """A template may be wrapped in one file in another way than in the other."""
    return " ".join(value.split()) if isinstance(value, str) else value


def test_the_inventory_sets_only_options() -> None:
    names = {*for_all(), *variables("group_vars/*.yml")}
    assert names - {*OPTIONS, *ROLE_OPTIONS} == set()


def test_defaults_are_the_inventorys() -> None:
    told = {
        name: joined(option["default"]) for name, option in OPTIONS.items() if "default" in option
    }
    found = {name: joined(value) for name, value in for_all().items() if name in told}
    # What only playbooks read has its default there.
    for path in PLAYBOOKS:
        for name, value in re.findall(r"\b(verify_\w+) \| default\(([^()]+)\)", path.read_text()):
            assert found.setdefault(name, yaml.safe_load(value)) == yaml.safe_load(value), name
    found |= {name: option["default"] for name, option in of_the_drill().items()}
    assert found == told


def test_the_drills_options_are_its_modules() -> None:
    for name, option in of_the_drill().items():
        for key in ("type", "default", "choices"):
            assert OPTIONS[name].get(key) == option.get(key), name


def test_where_the_inventory_sets_a_roles_option_for_all_it_is_the_roles_default() -> None:
    """It is set there because others read it as well."""
    shared = {name: value for name, value in for_all().items() if name in ROLE_OPTIONS}
    assert shared == {name: ROLE_OPTIONS[name]["default"] for name in shared}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_is_typed_and_described(name: str) -> None:
    option = OPTIONS[name]
    assert option["type"]
    assert option["description"]
    assert misfits(name, {"default": None} | option) == []
    assert lists_without_elements(name, option) == []


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_is_read(name: str) -> None:
    read = [*PLAYBOOKS, *INVENTORY.rglob("*.yml"), REPOSITORY / "host" / "vagrant.rb"]
    text = "".join(path.read_text() for path in read)
    uses = re.findall(rf"\b{name}\b(?!:)", text)
    assert uses or name in ROLE_OPTIONS


def test_what_playbooks_set_comes_from_the_cluster_or_from_the_inventory_itself() -> None:
    """Else nobody could change it without editing a playbook."""
    of_the_inventory = re.compile(r"\b(inventory_hostname|groups|group_names)\b")
    fixed = {
        name: expression
        for name, expression in roles.passed().items()
        if not roles.sources(expression, OPTIONS) and not of_the_inventory.search(expression)
    }
    assert fixed == {}


def first_task(playbook: Path) -> dict[str, Any]:
    """Of a playbook, or of the one that it imports first."""
    play = yaml.safe_load(playbook.read_text())[0]
    if "ansible.builtin.import_playbook" in play:
        return first_task(playbook.parent / play["ansible.builtin.import_playbook"])
    task: dict[str, Any] = (play.get("pre_tasks") or play["tasks"])[0]
    return task


@pytest.mark.parametrize(
    "playbook", sorted(REPOSITORY.glob("playbooks/*.yml")), ids=lambda path: path.stem
)
def test_a_playbook_looks_at_variables_before_all_else(playbook: Path) -> None:
    task = first_task(playbook)
    assert task.get("ansible.builtin.import_tasks") == "tasks/check_variables.yml"


def test_playbooks_set_only_options() -> None:
    assert roles.passed().keys() - ROLE_OPTIONS.keys() == set()


@pytest.mark.parametrize("role", roles.specs())
def test_nothing_that_goes_before_the_inventory_sets_an_option(role: str) -> None:
    """A role's vars/ and a play's vars would make a group's variable of that name useless."""
    path = REPOSITORY / "roles" / role / "vars" / "main.yml"
    names = set(yaml.safe_load(path.read_text())) if path.exists() else set()
    for playbook in REPOSITORY.glob("playbooks/*.yml"):
        for play in yaml.safe_load(playbook.read_text()):
            names |= play.get("vars", {}).keys()
    assert names & {*ROLE_OPTIONS, *OPTIONS} == set()
