# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Refuses variables that look like options and are none, and values of the wrong type."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase
from ansible_collections.roost.cluster.plugins.module_utils.options.unknown import find, place

# The checkout, or the installed collection.
ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS: dict[str, Any] = {"ignore": {"type": "list", "elements": "str", "default": []}}
ADVICE = (
    "nothing was changed. docs/options.md lists all options; a variable of your own that only "
    "looks like one is let through by own_variables: [NAME]"
)

Spec = Mapping[str, Any]


class ActionModule(ActionBase):
    """Looks at the variables of all hosts, on the controller; runs no module."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        given = task_vars or {}
        options, roles = known_options(ROOT)
        hosts = list(dict.fromkeys([*given["groups"]["all"], given["inventory_hostname"]]))
        seen = Seen(given["hostvars"], hosts, given["groups"], self._extra())

        known = {*options, *arguments["ignore"], *constants.INTERNAL_STATIC_VARS}
        ours = [name for name in seen.names if not name.startswith(("_", "ansible_"))]
        findings = find(ours, known, roles)
        unknown = [f"{item} ({seen.where(item.name)})" for item in findings if item.nearest]
        wrong = [f"{text} ({where})" for text, where in seen.misfits(options)]
        result: dict[str, Any] = {
            "changed": False,
            "warnings": [
                f"{each} ({seen.where(each.name)})" for each in findings if not each.nearest
            ],
        }
        if unknown or wrong:
            result |= {"failed": True, "msg": "\n".join([ADVICE, *unknown, *wrong])}
        return result

    def _extra(self) -> frozenset[str]:
        manager = self._task.get_variable_manager()
        return frozenset(manager.extra_vars if manager else ())


def known_options(root: Path) -> tuple[dict[str, Spec], list[str]]:
    """Every option with its specification, and the names of the roles."""
    files = [root / "meta" / "argument_specs.yml", *root.glob("roles/*/meta/argument_specs.yml")]
    options: dict[str, Spec] = {}
    for file in files:
        specs = yaml_load(file.read_text(encoding="utf-8"))["argument_specs"]
        options.update(specs["main"]["options"])
    return options, [file.parents[1].name for file in files[1:]]


class Seen:
    """The variables of all hosts."""

    def __init__(
        self,
        hostvars: Any,
        hosts: list[str],
        groups: Mapping[str, list[str]],
        extra: frozenset[str],
    ) -> None:
        self._hostvars = hostvars
        self._groups = groups
        self._extra = extra
        # As they are written; most of them are never evaluated.
        self._raw = {host: hostvars.raw_get(host) for host in hosts}
        self.names = sorted({name for variables in self._raw.values() for name in variables})

    def where(self, name: str) -> str:
        """Where a variable is set, in few words."""
        return self._where(name, [host for host, have in self._raw.items() if name in have])

    def _where(self, name: str, hosts: list[str]) -> str:
        if name in self._extra:
            return "set with -e"
        listed = [host for host in hosts if host in self._groups["all"]]
        return place(listed or hosts, self._groups)

    def misfits(self, options: Mapping[str, Spec]) -> list[tuple[str, str]]:
        """What is wrong with values, each with where that is."""
        found: dict[tuple[str, str], list[str]] = {}
        # Hosts of a group share its values: each is looked at once.
        told: dict[tuple[str, int], list[str]] = {}
        for host, variables in self._raw.items():
            for name in options.keys() & variables.keys():
                value = (name, id(variables[name]))
                if value not in told:
                    told[value] = self._misfits(host, name, options[name])
                for text in told[value]:
                    found.setdefault((name, text), []).append(host)
        return [(text, self._where(name, hosts)) for (name, text), hosts in sorted(found.items())]

    def _misfits(self, host: str, name: str, spec: Spec) -> list[str]:
        raw = self._raw[host][name]
        # What a template gives is known when it is used, and the role that gets it looks at it.
        if isinstance(raw, str) and "{{" in raw:
            return []
        try:
            value = self._hostvars[host][name]
        except AnsibleError:
            return []
        checked = ArgumentSpecValidator({name: spec}).validate({name: value})
        return [
            message if name in message else f"{name}: {message}"
            for message in checked.error_messages
        ]
