# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The roles' options: typed, few enough to know, and described by READMEs that are current."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import roles
from tests.unit.playbook import run_playbook

SPECS = roles.specs()
CLUSTER = roles.cluster_spec()
# Of the cluster and of all roles.
MOST_OPTIONS = 150
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "path": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
}

each_role = pytest.mark.parametrize("role", SPECS)


def misfits(name: str, option: dict[str, Any]) -> list[str]:
    """What of a default, and of the defaults of its keys, is not as the option's type says."""
    found = []
    default, kind = option.get("default"), option["type"]
    # What a template gives is known when the play runs.
    if default is not None and not (isinstance(default, str) and "{{" in default):
        if type(default) not in PYTHON_TYPES[kind]:
            found.append(f"{name}: {default!r} is no {kind}")
        elif kind == "list":
            element = PYTHON_TYPES[option["elements"]]
            found += [f"{name}: {each!r}" for each in default if type(each) not in element]
        if "choices" in option and default not in option["choices"]:
            found.append(f"{name}: {default!r} is none of the choices")
    for key, inner in option.get("options", {}).items():
        found += misfits(f"{name}.{key}", inner)
    return found


@each_role
def test_defaults_are_of_their_types(role: str) -> None:
    options = SPECS[role]["options"]
    assert options
    assert [line for name, option in options.items() for line in misfits(name, option)] == []


def test_a_misfit_is_found() -> None:
    assert misfits("a", {"type": "int", "default": "1"}) == ["a: '1' is no int"]
    assert misfits("a", {"type": "int", "default": True}) == ["a: True is no int"]
    assert misfits("a", {"type": "list", "elements": "str", "default": [1]}) == ["a: 1"]
    assert misfits("a", {"type": "str", "default": "c", "choices": ["b"]})
    assert misfits("a", {"type": "dict", "options": {"b": {"type": "int", "default": ""}}})


def lists_without_elements(name: str, option: dict[str, Any]) -> list[str]:
    found = [name] if option["type"] == "list" and "elements" not in option else []
    for key, inner in option.get("options", {}).items():
        found += lists_without_elements(f"{name}.{key}", inner)
    return found


@each_role
def test_lists_say_of_what(role: str) -> None:
    for name, option in SPECS[role]["options"].items():
        assert lists_without_elements(name, option) == []


def test_there_are_few_enough_options() -> None:
    every = [name for spec in (CLUSTER, *SPECS.values()) for name in spec["options"]]
    assert len(set(every)) <= MOST_OPTIONS


@pytest.mark.parametrize("path", roles.pages(), ids=lambda path: path.parent.name)
def test_readmes_and_the_page_of_options_are_current(path: Path) -> None:
    assert path.read_text() == roles.pages()[path], "run `make docs-roles`"


def test_the_page_of_options_has_each_option_once() -> None:
    text = roles.options_page(CLUSTER, SPECS)
    for spec in (CLUSTER, *SPECS.values()):
        for name in spec["options"]:
            assert len(re.findall(rf"^\| `{name}` \|", text, re.MULTILINE)) in (
                # A cluster's option may have the name of the role's that it is for.
                {1, 2} if name in CLUSTER["options"] else {1}
            ), name


@each_role
def test_a_readme_follows_every_description(role: str) -> None:
    before = roles.page(role, SPECS[role], "")
    for name in SPECS[role]["options"]:
        changed = copy.deepcopy(dict(SPECS[role]))
        changed["options"][name]["description"] = "Something else | and more."
        after = roles.page(role, changed, "")
        assert after != before
        assert "Something else \\| and more." in after


@each_role
def test_a_role_says_what_it_needs(role: str) -> None:
    assert any(text.startswith("Needs ") for text in SPECS[role]["description"])


@each_role
def test_the_example_sets_what_is_required_and_nothing_unknown(role: str) -> None:
    [play] = yaml.safe_load(SPECS[role]["examples"])
    [used] = play["roles"]
    assert used.pop("role") == f"roost.cluster.{role}"
    options = SPECS[role]["options"]
    required = {name for name, option in options.items() if option.get("required")}
    assert required <= set(used) <= set(options)


def test_ansible_finds_the_roles_of_the_examples(tmp_path: Path) -> None:
    playbook = tmp_path / "examples.yml"
    playbook.write_text("".join(spec["examples"] for spec in SPECS.values()))
    done = run_playbook(playbook, "--syntax-check", "--inventory=localhost,")
    assert done.returncode == 0, done.stderr
