# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from ipaddress import ip_address

from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    Step,
    Wanted,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.text import (
    explain,
    with_block,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    Rights,
    atomic_write,
)

HOSTS = "/etc/hosts"


def block(entries: Mapping[str, str]) -> str:
    """Lines of /etc/hosts, one for each address, with every name that it has."""
    names: dict[str, list[str]] = {}
    for name, address in entries.items():
        try:
            ip_address(address)
        except ValueError:
            raise StateError(
                f"hosts_entries: {name} has {address!r}, expected an IP address"
            ) from None
        names.setdefault(address, []).append(name)
    return "".join(f"{address} {' '.join(of)}\n" for address, of in names.items())


def reason(before: str, after: str, entries: Mapping[str, str]) -> str:
    """The names that are new or lead elsewhere, where that is what differs."""
    known = {name for line in before.splitlines() for name in line.partition("#")[0].split()[1:]}
    missing = [name for name in entries if name not in known]
    return f"{', '.join(missing)} missing" if missing else explain(before, after)


def hosts_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    before = node.read(HOSTS)
    after = with_block(before or "", block(wanted["hosts_entries"]))
    if after == (before or ""):
        return []
    why = "missing" if before is None else reason(before, after, wanted["hosts_entries"])
    data = after.encode("utf-8", "surrogateescape")
    act = partial(atomic_write, node, node.at(HOSTS), data, Rights(0o644, None, None))
    return [Step(HOSTS, why, act, before=before or "", after=after, changes=(HOSTS,))]
