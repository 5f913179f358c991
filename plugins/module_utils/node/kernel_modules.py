# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    Step,
    Wanted,
    command_failure,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.paths import (
    look,
    shown,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.text import explain
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    Rights,
    atomic_write,
)

PERSISTED = "/etc/modules-load.d/roost.conf"
# What a module brings is there whether it was loaded or built in, and a container sees it even
# where it sees neither modules nor their list.
EVIDENCE = {
    "overlay": ("/proc/filesystems", "overlay"),
    "br_netfilter": ("/proc/sys/net/bridge/bridge-nf-call-iptables", ""),
    "nf_conntrack": ("/proc/sys/net/netfilter/nf_conntrack_max", ""),
}


@dataclass(frozen=True)
class ModulesLook:
    """The kernel's modules as far as they matter here."""

    present: frozenset[str]  # loaded or built in
    loadable: frozenset[str]  # a file of that name lies in /lib/modules
    persisted: str


def canonical(name: str) -> str:
    return name.replace("-", "_")


def look_modules(node: Node, names: Iterable[str]) -> ModulesLook:
    release = platform.release()
    loaded = {line.split()[0] for line in (node.read("/proc/modules") or "").splitlines() if line}
    builtin = _listed(node.read(f"/lib/modules/{release}/modules.builtin"))
    loadable = _listed(node.read(f"/lib/modules/{release}/modules.dep"))
    present = {
        name
        for name in map(canonical, names)
        if name in loaded
        or name in builtin
        or node.at(f"/sys/module/{name}").exists()
        or _evident(node, name)
    }
    return ModulesLook(frozenset(present), frozenset(loadable), node.read(PERSISTED) or "")


def _evident(node: Node, name: str) -> bool:
    path, word = EVIDENCE.get(name, ("", ""))
    if not path:
        return False
    text = node.read(path)
    return text is not None and (not word or word in text.split())


def _listed(text: str | None) -> set[str]:
    """Names in modules.builtin or modules.dep, whose lines begin with a module's path."""
    names = set()
    for line in (text or "").splitlines():
        path = line.split(":")[0].split()
        if path:
            names.add(canonical(path[0].rsplit("/", 1)[-1].split(".ko")[0]))
    return names


def plan_modules(names: Sequence[str], seen: ModulesLook) -> list[str]:
    """The modules to load, in the order in which they are asked for."""
    return [name for name in names if canonical(name) not in seen.present]


def persisted_text(names: Sequence[str]) -> str:
    return "# Managed by Roost: loaded at each start\n" + "".join(f"{name}\n" for name in names)


def module_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    names = wanted["kernel_modules"]
    seen = look_modules(node, names)
    steps = [
        Step(
            f"kernel module {name}",
            "not loaded",
            partial(load, node, name),
            before="not loaded\n",
            after="loaded\n",
        )
        for name in plan_modules(names, seen)
    ]
    content = persisted_text(names)
    if look(node.at(PERSISTED)).kind == "missing" or seen.persisted != content:
        why = explain(seen.persisted, content) if seen.persisted else "missing"
        write = partial(
            atomic_write, node, node.at(PERSISTED), content.encode(), Rights(0o644, None, None)
        )
        steps.append(
            Step(
                PERSISTED,
                why,
                write,
                before=seen.persisted,
                after=shown(content.encode()),
                changes=(PERSISTED,),
            )
        )
    return steps


def load(node: Node, name: str) -> None:
    argv = ["modprobe", name]
    done = node.run(argv, 60)
    if done.rc != 0 and canonical(name) not in look_modules(node, [name]).present:
        raise StateError(
            f"kernel module {name}: not in the kernel, and {command_failure(argv, done)}: "
            "install the kernel's modules package; for a container node load it on the machine "
            f"that carries the containers (modprobe {name})"
        )
