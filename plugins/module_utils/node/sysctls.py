# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import errno
from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    Step,
    Wanted,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.text import explain
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    Rights,
    atomic_write,
)

PERSISTED = "/etc/sysctl.d/90-roost.conf"


def normal(value: Any) -> str:
    """A setting as the kernel prints it, apart from the width of its gaps."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return " ".join(str(value).split())


def location(key: str) -> str:
    """The file of a key; as in sysctl(8), a slash that comes first keeps the dots literal."""
    separators = [character for character in key if character in "./"]
    if separators and separators[0] == "/":
        return f"/proc/sys/{key}"
    return "/proc/sys/" + key.translate(str.maketrans("./", "/."))


def look_sysctls(node: Node, keys: Mapping[str, Any]) -> dict[str, str | None]:
    return {key: _read(node, key) for key in keys}


def _read(node: Node, key: str) -> str | None:
    text = node.read(location(key))
    return None if text is None else normal(text)


def plan_sysctls(
    wanted: Mapping[str, Any], live: Mapping[str, str | None]
) -> list[tuple[str, str, str]]:
    """Key, found and expected of each setting that differs."""
    return [
        (key, "missing" if live[key] is None else str(live[key]), normal(value))
        for key, value in wanted.items()
        if live[key] != normal(value)
    ]


def check_sysctls(wanted: Mapping[str, Any], live: Mapping[str, str | None]) -> list[str]:
    """What is wrong with the settings that are only looked at; ">=N" asks for at least N."""
    told = []
    for key, value in wanted.items():
        expected, found = normal(value), live[key]
        if found is None or not _satisfies(found, expected):
            shown = "missing" if found is None else found
            told.append(f"{key} is {shown}, expected {expected}")
    return told


def _satisfies(found: str, expected: str) -> bool:
    if not expected.startswith(">="):
        return found == expected
    least = expected[2:].strip()
    if not least.isdigit():
        raise StateError(f"sysctls_check: {expected!r} is not understood, expected >=NUMBER")
    return found.isdigit() and int(found) >= int(least)


def persisted_text(wanted: Mapping[str, Any]) -> str:
    lines = "".join(f"{key} = {normal(wanted[key])}\n" for key in sorted(wanted))
    return f"# Managed by Roost\n{lines}"


def sysctl_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    settings = wanted["sysctls"]
    steps = [
        Step(
            f"sysctl {key}",
            f"{found} → {expected}",
            partial(write, node, key, expected),
            before=f"{key} = {found}\n",
            after=f"{key} = {expected}\n",
        )
        for key, found, expected in plan_sysctls(settings, look_sysctls(node, settings))
    ]
    before, content = node.read(PERSISTED), persisted_text(settings)
    if before != content:
        why = "missing" if before is None else explain(before, content)
        act = partial(
            atomic_write, node, node.at(PERSISTED), content.encode(), Rights(0o644, None, None)
        )
        steps.append(
            Step(PERSISTED, why, act, before=before or "", after=content, changes=(PERSISTED,))
        )
    return steps


def check_only(wanted: Wanted, node: Node) -> None:
    """Settings that belong to somebody else, who is told what is wrong.

    They are looked at when all is done, because some appear only with a kernel module.
    """
    settings = wanted.get("sysctls_check") or {}
    wrong = check_sysctls(settings, look_sysctls(node, settings))
    if not wrong:
        return
    told = (
        "kernel settings that this machine has to be given from outside: "
        + "; ".join(wrong)
        + ": set them with sysctl -w on the machine itself (for a container node: on the "
        "machine that carries it)"
    )
    if not node.check:
        raise StateError(told)
    node.notes.append(told)


def write(node: Node, key: str, value: str) -> None:
    path = node.at(location(key))
    try:
        with path.open("w", encoding="ascii") as setting:
            setting.write(f"{value}\n")
    except OSError as error:
        hint = {
            errno.ENOENT: "no such key: is the kernel module that brings it loaded?",
            errno.EROFS: "/proc/sys is read-only here: set it on the machine that carries the node",
            errno.EACCES: "not permitted: root rights on the machine itself are needed",
            errno.EPERM: "not permitted: root rights on the machine itself are needed",
            errno.EINVAL: "the kernel refuses this value",
        }.get(error.errno or 0, str(error.strerror))
        raise StateError(f"sysctl {key} can't be set to {value!r}: {hint} ({path})") from None
    found = _read(node, key)
    if found != value:
        raise StateError(f"sysctl {key}: {value!r} was written, but the kernel keeps {found!r}")
