# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ansible-doc shows of every plugin is complete, and what the code really takes."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic

REPOSITORY = Path(__file__).resolve().parents[3]
PLUGINS = "ansible_collections.roost.cluster.plugins"
COLLECTION = "roost.cluster."
# Kind, as ansible-doc calls it, and folder.
KINDS = {
    "callback": "callback",
    "filter": "filter",
    "inventory": "inventory",
    "lookup": "lookup",
    "module": "modules",
}
SPECIFIED = ("type", "elements", "required", "default", "choices")


def load(folder: str, name: str) -> Any:
    return importlib.import_module(f"{PLUGINS}.{folder}.{name}")


def names(kind: str) -> list[str]:
    """The plugins of a kind, from the code. A file of filters has several."""
    stems = sorted(path.stem for path in (REPOSITORY / "plugins" / KINDS[kind]).glob("*.py"))
    if kind != "filter":
        return stems
    return sorted(name for stem in stems for name in load(kind, stem).FilterModule().filters())


MODULES = names("module")
ALL = [(kind, name) for kind in KINDS for name in names(kind)]


# Several calls of ansible-doc in one start of it, which takes longer than they do.
CALLS = """
import json, os, sys
from ansible.cli.doc import main

for arguments in json.loads(sys.argv[1]):
    if os.fork() == 0:
        main(["ansible-doc", *arguments])
    if os.wait()[1] != 0:
        sys.exit(f"ansible-doc {' '.join(arguments)} failed")
"""


def ansible_doc(*calls: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CALLS, json.dumps(calls)],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "true",
            "PAGER": "cat",
        },
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def documented() -> dict[str, dict[str, Any]]:
    """kind → full name → its documentation, fragments included."""
    dump: dict[str, dict[str, Any]] = json.loads(ansible_doc(["--metadata-dump", "roost.cluster"]))
    return dump["all"]


@pytest.fixture(scope="module")
def rendered() -> str:
    return ansible_doc(*(["-t", kind, *(COLLECTION + n for n in names(kind))] for kind in KINDS))


def specification(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a documentation in the form of an argument specification."""
    spec = {}
    for name, option in options.items():
        spec[name] = {key: option[key] for key in SPECIFIED if option.get(key) is not None}
        if "suboptions" in option:
            spec[name]["options"] = specification(option["suboptions"])
    return spec


def plain(spec: Mapping[str, Any]) -> dict[str, Any]:
    """An argument specification without what isn't documented."""
    return {
        name: {
            key: plain(value) if key == "options" else value
            for key, value in option.items()
            if key in (*SPECIFIED, "options") and value is not None
        }
        for name, option in spec.items()
    }


class Caught(Exception):
    pass


def taken(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], bool]:
    """The arguments that a module really takes, and whether it runs in check mode."""
    module = load("modules", name)
    if not hasattr(module, "main"):
        # Documented there, where ansible-doc looks; what runs is the action.
        action = load("action", name)
        return action.ARGUMENTS, action.ActionModule._supports_check_mode
    caught: dict[str, Any] = {}

    def catch(self: Any, argument_spec: dict[str, Any], **options: Any) -> None:
        caught.update(spec=argument_spec, **options)
        raise Caught

    monkeypatch.setattr(basic.AnsibleModule, "__init__", catch)
    with pytest.raises(Caught):
        module.main()
    return caught["spec"], caught.get("supports_check_mode", False)


@pytest.mark.parametrize("kind", KINDS)
def test_ansible_doc_knows_every_plugin(kind: str, documented: dict[str, Any]) -> None:
    assert sorted(documented[kind]) == [COLLECTION + name for name in names(kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_ansible_doc_renders_every_plugin(kind: str, rendered: str) -> None:
    for name in names(kind):
        assert f"> {kind.upper()} {COLLECTION}{name} " in rendered


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_nothing_is_missing(kind: str, name: str, documented: dict[str, Any]) -> None:
    told = documented[kind][COLLECTION + name]
    for key in ("short_description", "description", "author", "version_added"):
        assert told["doc"].get(key), key
    for option, about in told["doc"].get("options", {}).items():
        assert about.get("description"), option
    if kind == "callback":
        return
    assert yaml.safe_load(told["examples"])
    if kind == "inventory":
        return
    assert told["return"]
    for key, about in told["return"].items():
        assert about.get("description"), key
        assert about.get("type"), key
        assert kind != "module" or about.get("returned"), key


@pytest.mark.parametrize("name", MODULES)
def test_options_are_what_the_module_takes(
    name: str, documented: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = documented["module"][COLLECTION + name]["doc"]
    spec, in_check_mode = taken(name, monkeypatch)
    assert specification(told.get("options", {})) == plain(spec)
    assert (told["attributes"]["check_mode"]["support"] == "full") is in_check_mode
    assert "diff_mode" in told["attributes"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_use_options_that_exist(name: str, documented: dict[str, Any]) -> None:
    told = documented["module"][COLLECTION + name]
    calls = [
        task[COLLECTION + name] or {}
        for task in yaml.safe_load(told["examples"])
        if COLLECTION + name in task
    ]
    assert calls
    options = told["doc"].get("options", {})
    required = {key for key, about in options.items() if about.get("required")}
    for call in calls:
        assert required <= set(call) <= set(options)


def test_every_module_with_a_kubeconfig_is_in_the_action_group(documented: dict[str, Any]) -> None:
    groups = yaml.safe_load((REPOSITORY / "meta" / "runtime.yml").read_text())["action_groups"]
    takes = [
        name
        for name in MODULES
        if "kubeconfig" in documented["module"][COLLECTION + name]["doc"].get("options", {})
    ]
    assert groups["kubernetes"] == takes
