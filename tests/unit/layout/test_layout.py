# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The repository is the collection: its links are complete, and its roles say what they take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
COLLECTION = REPOSITORY / "collections" / "ansible_collections" / "roost" / "cluster"
ROLES = sorted(path.name for path in (REPOSITORY / "roles").iterdir())
# In the order in which they run; also what the molecule scenarios go by.
ORDER = (REPOSITORY / "molecule" / "shared" / "roles.txt").read_text().split()
DEEPEST = 12


@pytest.mark.parametrize("name", ["galaxy.yml", "meta", "plugins", "roles"])
def test_the_collection_is_the_checkout(name: str) -> None:
    link = COLLECTION / name
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == REPOSITORY / name


def test_playbooks_find_the_collection_from_their_own_folder() -> None:
    link = REPOSITORY / "playbooks" / "collections"
    assert link.is_symlink()
    assert link.resolve() == REPOSITORY / "collections"


def test_a_walk_that_follows_links_ends() -> None:
    for start in (REPOSITORY / "collections", REPOSITORY / "playbooks"):
        for folder, _, _ in os.walk(start, followlinks=True):
            depth = len(Path(folder).relative_to(start).parts)
            assert depth <= DEEPEST, folder


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def roles_of(playbook: Path) -> list[str]:
    """The roles that a playbook and those it imports apply, in their order."""
    found: list[str] = []
    for play in read(playbook):
        if "ansible.builtin.import_playbook" in play:
            found += roles_of(playbook.parent / play["ansible.builtin.import_playbook"])
        found += [role["role"] for role in play.get("roles", [])]
    return found


def test_each_role_has_its_place_in_the_order() -> None:
    assert sorted(ORDER) == ROLES
    assert roles_of(REPOSITORY / "playbooks" / "site.yml") == ORDER


@pytest.mark.parametrize("role", ROLES)
def test_each_role_has_a_scenario(role: str) -> None:
    assert (REPOSITORY / "molecule" / role / "molecule.yml").is_file()


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_argument_specs_agree(role: str) -> None:
    folder = REPOSITORY / "roles" / role
    options = read(folder / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = read(folder / "defaults" / "main.yml")
    specified = {name: spec["default"] for name, spec in options.items() if "default" in spec}
    assert specified == defaults
    for name, spec in options.items():
        assert name.startswith(f"{role}_"), name
        assert spec.get("description"), name
        assert spec.get("type"), name
        assert ("default" in spec) != bool(spec.get("required")), name


@pytest.mark.parametrize("role", ROLES)
def test_a_role_depends_on_no_other(role: str) -> None:
    assert read(REPOSITORY / "roles" / role / "meta" / "main.yml")["dependencies"] == []
