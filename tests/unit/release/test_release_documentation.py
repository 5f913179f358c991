# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is written about the modules, the role and the shipped release is true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible_collections.roost.cluster.plugins.module_utils.release import spec
from ansible_collections.roost.cluster.plugins.modules import (
    release_certificate,
    release_plan,
    release_wait,
)

REPOSITORY = Path(__file__).resolve().parents[3]
ROLE = REPOSITORY / "roles" / "release"


MODULES: dict[Any, dict[str, Any]] = {
    release_certificate: release_certificate.ARGUMENTS,
    release_plan: release_plan.ARGUMENTS,
    release_wait: release_wait.ARGUMENTS,
}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_roles_defaults_agree_with_its_specification() -> None:
    options = load(ROLE / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    optional = {name: item["default"] for name, item in options.items() if not item.get("required")}
    assert load(ROLE / "defaults" / "main.yml") == optional


def test_the_role_passes_what_the_modules_take() -> None:
    modules = {
        "roost.cluster." + module.__name__.rpartition(".")[2]: arguments
        for module, arguments in MODULES.items()
    }
    used = set()
    for file in sorted((ROLE / "tasks").iterdir()):
        for task in load(file):
            for name in modules.keys() & task.keys():
                used.add(name)
                required = {key for key, item in modules[name].items() if item.get("required")}
                assert required <= task[name].keys() <= modules[name].keys()
    assert used == modules.keys()


def test_the_release_that_is_shipped_is_accepted() -> None:
    file = load(REPOSITORY / "inventory" / "group_vars" / "all" / "release.yml")
    assert spec.check(file["release"]) == []
    assert file["release"]["canary"] == {"version": "v2", "weight": 10}


def test_every_key_is_explained_beside_the_shipped_release() -> None:
    text = (REPOSITORY / "inventory/group_vars/all/release.yml").read_text(encoding="utf-8")
    assert [key for key in spec.RELEASE_KEYS if f"{key}:" not in text] == []
