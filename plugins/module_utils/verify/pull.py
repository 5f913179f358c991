# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.roost.cluster.plugins.module_utils.verify.iptables import DropRule
from ansible_collections.roost.cluster.plugins.module_utils.verify.promise import promise

# Reserved for documentation (RFC 5737): nothing answers there, wherever the node stands.
ADDRESS = "192.0.2.1"
PORT = 5000
IMAGE = f"{ADDRESS}:{PORT}/roost/absent:1"

Pull = Callable[[], str]
"""Tries to pull the image; gives '' if that worked, else why not."""


@dataclass(frozen=True)
class Evidence:
    """What happened on one node while the rule counted."""

    answers: Mapping[str, str]
    """For each way to pull: '' if the image came, else the error."""
    leaked: int
    """Packets to the address during the pulls."""
    control: int
    """Packets after one deliberate connection."""
    routed: bool
    """Whether the node has a way to the address at all."""


def gather(rule: DropRule, pulls: Mapping[str, Pull], connect: Callable[[], bool]) -> Evidence:
    answers = {title: pull() for title, pull in pulls.items()}
    leaked = rule.count()
    routed = connect()
    return Evidence(answers, leaked, rule.count() - leaked, routed)


def connect_once(address: str = ADDRESS, port: int = PORT) -> bool:
    """Try to connect, knowing that the rule drops it; False if there is no route to try."""
    try:
        socket.create_connection((address, port), timeout=0.5).close()
    except OSError as error:
        return error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH)
    return True


def judge(evidence: Evidence) -> list[dict[str, Any]]:
    advice = (
        "look at hosts.toml below the hosts directory: 'server' must name the bundle's registry"
    )
    wrong = [
        f"{title}: {answer or 'the image was pulled'}"
        for title, answer in evidence.answers.items()
        if "not found" not in answer
    ]
    if not evidence.routed:
        control = "the node has no route to it: nothing can leave"
    else:
        control = f"{evidence.control} packets after a deliberate connection"
    return [
        promise(
            "pull without fallback",
            not wrong and bool(evidence.answers),
            f"the bundle's registry says that {IMAGE} is not found",
            "; ".join(wrong) or f"not found ({', '.join(evidence.answers)})",
            advice + "; is the registry on the control plane up?",
        ),
        promise(
            "nothing left the node",
            evidence.leaked == 0,
            f"0 packets to {ADDRESS} during the pulls",
            f"{evidence.leaked} packets",
            advice,
        ),
        promise(
            "the packet counter works",
            evidence.control > 0 or not evidence.routed,
            f"a deliberate connection to {ADDRESS} is counted",
            control,
            "iptables -nvL OUTPUT: is there another packet filter in front?",
        ),
    ]
