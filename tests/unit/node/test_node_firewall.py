# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import socket
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.node.core import Node
from ansible_collections.roost.cluster.plugins.module_utils.node.firewall import (
    active_firewalls,
    closed_chains,
    closing_rules,
    firewall_steps,
)

from tests.unit.node.helpers import Commands

DATA = Path(__file__).parent / "data"


def test_firewalls_as_recorded() -> None:
    assert closing_rules((DATA / "iptables-input.txt").read_text()) == [
        "iptables chain INPUT with policy DROP",
        "iptables chain INPUT with a rule that refuses packets",
    ]
    assert closed_chains((DATA / "nft-ruleset.json").read_text()) == [
        "nftables chain inet fw in with policy drop",
        "nftables chain inet filter input with a rule that drops",
    ]


def test_the_rules_of_kubernetes_are_no_firewall() -> None:
    text = "-P INPUT ACCEPT\n-A INPUT -m conntrack -j KUBE-FIREWALL\n-A INPUT -j KUBE-NODEPORTS\n"
    assert closing_rules(text + '-A INPUT -m comment --comment "KUBE-X" -j DROP\n') == []
    assert closed_chains('{"nftables": []}') == closed_chains("rubbish") == []


def test_which_firewall_is_active(node: Node, commands: Commands) -> None:
    commands.answer("systemctl", "is-active", rc=3)
    commands.answer("nft", rc=127)
    commands.answer("iptables", out="-P INPUT ACCEPT\n")
    assert active_firewalls(node) == ()
    commands.answer("iptables", out="-P INPUT DROP\n")
    assert active_firewalls(node) == ("iptables chain INPUT with policy DROP",)
    node.at("/etc/ufw").mkdir(parents=True)
    node.at("/etc/ufw/ufw.conf").write_text("# x\nENABLED=yes\nLOGLEVEL=low\n")
    assert active_firewalls(node) == ("ufw",)
    commands.answer("systemctl", "is-active", rc=0)
    assert active_firewalls(node) == ("ufw", "firewalld")


def test_what_a_firewall_has_to_let_in_is_told_once(node: Node, commands: Commands) -> None:
    wanted = {"firewall": {"ports": ["6443/tcp", "8472/udp"], "pod_cidr": "10.244.0.0/16"}}
    commands.answer("systemctl", "is-active", rc=3)
    commands.answer("nft", rc=127)
    assert firewall_steps(wanted, node, []) == []
    assert node.notes == []
    commands.answer("iptables", out="-P INPUT DROP\n")
    assert firewall_steps(wanted, node, []) == firewall_steps(wanted, node, []) == []
    assert node.notes == [
        f"{socket.gethostname()}: a firewall is active (iptables chain INPUT with policy DROP): "
        "expected that it lets in 6443/tcp, 8472/udp, lets in everything from the pods' network "
        "10.244.0.0/16, and forwards what comes from there or goes there; look whether it does, "
        "for this is neither checked nor changed"
    ]


def test_a_chain_that_forwards_nothing_is_found() -> None:
    """Each chain of nftables has to agree, whatever those of iptables say."""
    chain = {"family": "inet", "table": "fw", "name": "pass", "hook": "forward", "policy": "drop"}
    assert closed_chains(json.dumps({"nftables": [{"chain": chain}]})) == [
        "nftables chain inet fw pass with policy drop"
    ]
    # That of iptables comes after what Kubernetes accepts in the same chain.
    ours = chain | {"table": "filter", "name": "FORWARD", "family": "ip"}
    assert closed_chains(json.dumps({"nftables": [{"chain": ours}]})) == []
