# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

NAMES = ["verify_split", "verify_cluster", "verify_pull", "verify_report"]


@pytest.mark.parametrize("name", NAMES)
def test_documentation_and_argument_spec_agree(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.roost.cluster.plugins.modules.{name}")
    documented: dict[str, dict[str, Any]] = yaml.safe_load(module.DOCUMENTATION)["options"]
    assert documented.keys() == module.ARGUMENTS.keys()
    for option, spec in module.ARGUMENTS.items():
        described = {key: documented[option][key] for key in spec if key in documented[option]}
        assert described == spec, option
        assert documented[option]["description"]


@pytest.mark.parametrize("name", NAMES)
def test_examples_and_returns_are_yaml(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.roost.cluster.plugins.modules.{name}")
    (example,) = yaml.safe_load(module.EXAMPLES)
    task = example[f"roost.cluster.{name}"] or {}
    validator = ArgumentSpecValidator(module.ARGUMENTS)
    # Values that playbooks fill in are templates here, and can't have their type yet.
    plain = {key: value for key, value in task.items() if "{{" not in str(value)}
    unsupported = validator.validate({**plain}).unsupported_parameters
    assert not unsupported
    assert set(task) <= set(module.ARGUMENTS)
    assert all(item["returned"] for item in yaml.safe_load(module.RETURN).values())
