# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import shlex

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.verify.iptables import (
    MARK,
    IptablesError,
    counting,
    marked,
    packets,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.pull import (
    Evidence,
    gather,
    judge,
)

# As iptables v1.8.9 (nf_tables) printed them.
LISTING = """\
Chain OUTPUT (policy ACCEPT 120 packets, 9876 bytes)
    pkts      bytes target     prot opt in     out     source               destination         
      12      720 DROP       0    --  *      *       0.0.0.0/0            192.0.2.1            /* roost-verify-pull-0a1b2c3d4e5f */
 1234567  9999999 KUBE-FIREWALL  0    --  *      *       0.0.0.0/0            0.0.0.0/0           
       3      180 ACCEPT     6    --  *      *       0.0.0.0/0            0.0.0.0/0            tcp dpt:99 /* someone else */
"""  # noqa: E501  recorded, not written
RULES = """\
-P OUTPUT ACCEPT
-A OUTPUT -d 192.0.2.1/32 -m comment --comment roost-verify-pull-0a1b2c3d4e5f -j DROP
-A OUTPUT -d 192.0.2.1/32 -m comment --comment "roost-verify-pull-00ff00ff00ff" -j DROP
-A OUTPUT -p tcp -m tcp --dport 99 -m comment --comment "someone else" -j ACCEPT
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
"""


def test_packets_of_our_rule() -> None:
    assert packets(LISTING, "roost-verify-pull-0a1b2c3d4e5f") == 12


def test_a_rule_that_is_gone_is_no_zero() -> None:
    with pytest.raises(IptablesError, match="no rule marked roost-verify-pull-0a1b2c3d4e5"):
        packets(LISTING, "roost-verify-pull-0a1b2c3d4e5")


def test_only_our_rules_are_ours() -> None:
    assert marked(RULES) == ["roost-verify-pull-0a1b2c3d4e5f", "roost-verify-pull-00ff00ff00ff"]


class FakeIptables:
    """An OUTPUT chain: what is sent to the address is counted by the first of our rules."""

    def __init__(self, *left_over: str) -> None:
        self.rules = [f"-d 192.0.2.1/32 -m comment --comment {mark} -j DROP" for mark in left_over]
        self.rules.append('-p tcp -m comment --comment "someone else" -j ACCEPT')
        self.sent = 0

    def __call__(self, command: list[str]) -> tuple[int, str]:
        program, *wait, action, chain = command[:5]
        assert (program, wait, chain) == ("iptables", ["-w", "10"], "OUTPUT")
        rest = command[5:]
        if action == "-I":
            assert rest[0] == "1"
            self.rules.insert(0, shlex.join(rest[1:]))
        elif action == "-D":
            self.rules.remove(shlex.join(rest))
        elif action == "-S":
            return 0, "\n".join(f"-A OUTPUT {rule}" for rule in self.rules)
        else:
            mark = marked("\n".join(self.rules))[0]
            return 0, f"Chain OUTPUT\n{self.sent} 60 DROP 0 -- * * 0.0.0.0/0 192.0.2.1 /* {mark} */"
        return 0, ""

    def send(self) -> bool:
        self.sent += 1
        return True


def test_the_rule_is_there_while_it_counts_and_gone_afterwards() -> None:
    chain = FakeIptables(MARK + "00ff00ff00ff")
    with counting(chain, "iptables", "192.0.2.1") as (rule, left_over):
        assert left_over == 1
        assert len(marked("\n".join(chain.rules))) == 1
        chain.send()
        assert rule.count() == 1
    assert chain.rules == ['-p tcp -m comment --comment "someone else" -j ACCEPT']


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt])
def test_the_rule_is_gone_whatever_happens(error: type[BaseException]) -> None:
    chain = FakeIptables()
    with pytest.raises(error), counting(chain, "iptables", "192.0.2.1"):
        raise error
    assert marked("\n".join(chain.rules)) == []


def test_each_run_marks_its_own_rule() -> None:
    marks = set()
    for _ in range(2):
        chain = FakeIptables()
        with counting(chain, "iptables", "192.0.2.1"):
            marks.update(marked("\n".join(chain.rules)))
    assert len(marks) == 2


def test_iptables_that_fails_is_quoted() -> None:
    with (
        pytest.raises(IptablesError, match="-S OUTPUT: Permission denied"),
        counting(lambda _: (4, "Permission denied\n"), "iptables", "192.0.2.1"),
    ):
        pass


def evidence(leak: bool = False, connects: bool = True, answer: str = "…: not found") -> Evidence:
    chain = FakeIptables()

    def pull() -> str:
        if leak:
            chain.send()
        return answer

    def connect() -> bool:
        return chain.send() if connects else True

    with counting(chain, "iptables", "192.0.2.1") as (rule, _):
        return gather(rule, {"cri": pull, "ctr": pull}, connect)


def broken(found: Evidence) -> list[str]:
    return [item["name"] for item in judge(found) if not item["ok"]]


def test_a_node_that_asks_only_the_bundle() -> None:
    assert broken(evidence()) == []


def test_a_packet_during_the_pulls_is_seen() -> None:
    assert broken(evidence(leak=True)) == ["nothing left the node"]


def test_a_counter_that_does_not_count_is_seen() -> None:
    assert broken(evidence(connects=False)) == ["the packet counter works"]


@pytest.mark.parametrize("answer", ["", "dial tcp 192.0.2.1:5000: i/o timeout", "/x: no such file"])
def test_a_pull_must_fail_and_as_not_found(answer: str) -> None:
    assert broken(evidence(answer=answer)) == ["pull without fallback"]


def test_without_a_route_nothing_can_leave() -> None:
    found = Evidence({"cri": "not found"}, leaked=0, control=0, routed=False)
    assert broken(found) == []
    assert "no route" in judge(found)[2]["found"]
