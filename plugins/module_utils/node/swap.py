# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from functools import partial

from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    Step,
    Wanted,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.links import (
    make_link,
    plan_link,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.paths import look
from ansible_collections.roost.cluster.plugins.module_utils.node.text import explain
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    Rights,
    atomic_write,
)

FSTAB = "/etc/fstab"
MARK = "# roost, swap is off: "
# What systemd starts all swap by. Not all of it is in the fstab: zram has a generator of its own,
# and a partition whose type says swap is used as soon as the fstab names none.
TARGET = "/etc/systemd/system/swap.target"
MASKED = "/dev/null"


def devices(proc_swaps: str) -> list[str]:
    """The active swap devices in the text of /proc/swaps."""
    return [line.split()[0] for line in proc_swaps.splitlines()[1:] if line.strip()]


def without_swap(fstab: str) -> str:
    """The fstab with its swap lines commented out, each with a mark that says by whom."""
    return "".join(
        f"{MARK}{line}" if _mounts_swap(line) else line for line in fstab.splitlines(keepends=True)
    )


def _mounts_swap(line: str) -> bool:
    fields = line.split()
    return len(fields) >= 3 and not fields[0].startswith("#") and fields[2] == "swap"


def swap_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    active = devices(node.read("/proc/swaps") or "")
    if wanted["swap"] == "ignore":
        return []
    if wanted["swap"] == "fail":
        if active:
            raise StateError(
                f"swap is on ({', '.join(active)}), and kubelet expects it off: turn it off with "
                "`swapoff -a` and in /etc/fstab, or let this be done by setting swap to off"
            )
        return []
    steps = []
    if active:
        steps.append(
            Step(
                "swap",
                f"on: {', '.join(active)}",
                partial(turn_off, node),
                before="".join(f"{name}\n" for name in active),
            )
        )
    return steps + fstab_steps(node) + target_steps(node)


def fstab_steps(node: Node) -> list[Step]:
    before = node.read(FSTAB) or ""
    after = without_swap(before)
    if after == before:
        return []
    mode = node.at(FSTAB).stat().st_mode & 0o7777
    data = after.encode("utf-8", "surrogateescape")
    return [
        Step(
            FSTAB,
            f"swap comes back at the next start: {explain(before, after)}",
            partial(atomic_write, node, node.at(FSTAB), data, Rights(mode, None, None)),
            before=before,
            after=after,
            changes=(FSTAB,),
        )
    ]


def target_steps(node: Node) -> list[Step]:
    seen = look(node.at(TARGET))
    if not plan_link(TARGET, seen, MASKED):
        return []
    return [
        Step(
            TARGET,
            "swap that isn't in the fstab comes back at the next start: swap.target is not masked",
            partial(make_link, node.at(TARGET), MASKED),
            before=f"→ {seen.target}\n" if seen.target else "",
            after=f"→ {MASKED}\n",
        )
    ]


def turn_off(node: Node) -> None:
    node.command(["swapoff", "-a"], "turning swap off")
    left = devices(node.read("/proc/swaps") or "")
    if left:
        raise StateError(f"swapoff -a left {', '.join(left)} active: turn it off by hand")
