# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import re
import socket
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.core import Node, Step, Wanted

# kube-proxy and kubelet add rules of their own, which are no firewall.
_OURS = ("KUBE-", "CNI-", "FLANNEL")


def firewall_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    """No steps: what a firewall lets in is its owner's to say. A note tells what it has to."""
    found, needed = active_firewalls(node), wanted["firewall"]
    if found:
        note = (
            f"{socket.gethostname()}: a firewall is active ({', '.join(found)}): expected that it "
            f"lets in {', '.join(needed['ports'])}, lets in everything from the pods' network "
            f"{needed['pod_cidr']}, and forwards what comes from there or goes there; look "
            "whether it does, for this is neither checked nor changed"
        )
        if note not in node.notes:  # after a change all is planned once more
            node.notes.append(note)
    return []


def active_firewalls(node: Node) -> tuple[str, ...]:
    """What may keep packets from coming in, by name."""
    found = []
    if re.search(r"^ENABLED=[\"']?yes", node.read("/etc/ufw/ufw.conf") or "", re.M | re.I):
        found.append("ufw")
    if node.at("/run/firewalld.pid").exists() or _runs(node, "firewalld"):
        found.append("firewalld")
    if found:
        return tuple(found)  # their rules are what the others would show
    done = node.run(["nft", "-j", "list", "ruleset"], 5)
    if done.rc == 0:
        found += closed_chains(done.out)
    done = node.run(["iptables", "-w", "2", "-S", "INPUT"], 5)
    if done.rc == 0:
        found += closing_rules(done.out)
    return tuple(dict.fromkeys(found))


def _runs(node: Node, service: str) -> bool:
    return node.run(["systemctl", "is-active", "--quiet", service], 5).rc == 0


def closed_chains(text: str) -> list[str]:
    """The nftables chains that drop or reject what comes in or passes through, from
    `nft -j list ruleset`."""
    try:
        entries = json.loads(text).get("nftables", [])
    except (ValueError, AttributeError):
        return []
    chains, found = {}, []
    for entry in entries:
        chain = entry.get("chain") or {}
        if chain.get("hook") in ("input", "forward") and not _is_iptables(chain):
            chains[_key(chain)] = chain
            if chain.get("policy") == "drop":
                found.append(f"nftables chain {_key(chain)} with policy drop")
    for entry in entries:
        rule = entry.get("rule") or {}
        if _key(rule, "chain") in chains and _closes(rule):
            found.append(f"nftables chain {_key(rule, 'chain')} with a rule that drops")
    return found


def _is_iptables(chain: dict[str, Any]) -> bool:
    """iptables-nft keeps its chains in tables that are read by iptables itself below."""
    built_in = chain.get("name") in ("INPUT", "FORWARD")
    return built_in and chain.get("table") in ("filter", "nat", "mangle", "raw")


def _key(entry: dict[str, Any], name: str = "name") -> str:
    return f"{entry.get('family')} {entry.get('table')} {entry.get(name)}"


def _closes(rule: dict[str, Any]) -> bool:
    """A last resort: a rule that drops or rejects whatever reaches it."""
    words = [word for word in rule.get("expr") or [] if "counter" not in word]
    return len(words) == 1 and bool({"drop", "reject"} & set(words[0]))


def closing_rules(text: str) -> list[str]:
    """Why iptables' INPUT chain may refuse packets, from `iptables -S INPUT`."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if words[:3] == ["-P", "INPUT", "DROP"]:
            found.append("iptables chain INPUT with policy DROP")
        elif (
            words[:2] == ["-A", "INPUT"]
            and {"DROP", "REJECT"} & set(words)
            and not any(ours in line for ours in _OURS)
        ):
            found.append("iptables chain INPUT with a rule that refuses packets")
    return found
