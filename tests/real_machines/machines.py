# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a test does with machines that were handed over: list, provision, close them off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from host.cluster_settings import Paths
from host.docker_cli import docker
from tests import command
from tests.command import REPOSITORY, Ran

EXAMPLE = REPOSITORY / "docs" / "examples" / "real-machines.yml"
USER, PASSWORD = "ops", "asked-for-by-sudo"
# Those whose sudo asks for a password.
ASKS = ("worker-1", "worker-3")
# The user that images come with can't do anything any more.
HAND_OVER = r"""
set -e
useradd --create-home --shell /bin/bash "$1"
cp -r /home/vagrant/.ssh "/home/$1/.ssh"
chown -R "$1:$1" "/home/$1/.ssh"
printf '%s:%s\n' "$1" "$2" | chpasswd
printf '%s ALL=(ALL) %s ALL\n' "$1" "$3" > /etc/sudoers.d/people
rm /etc/sudoers.d/vagrant
usermod --lock --expiredate 1 vagrant
"""
# Everything that isn't listed is dropped, also what passes through.
NFTABLES = """
table inet own
delete table inet own
table inet own {{
  chain in {{
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    iif lo accept
    meta l4proto {{ icmp, ipv6-icmp }} accept
    ip saddr {pods} accept
    {accepted}
  }}
  chain through {{
    type filter hook forward priority 0; policy drop;
    ip saddr {pods} accept
    ip daddr {pods} accept
  }}
}}
"""
# No IPv4 address, and how it was before.
ONLY_IPV6 = """
set -e
ip -4 -o addr show scope global | awk '{print "ip addr add", $4, "brd + dev", $2}' > /root/before
ip -4 route show default | sed 's/^/ip route add /' >> /root/before
for name in all eth0 eth1; do echo 0 > /proc/sys/net/ipv6/conf/$name/disable_ipv6; done
ip -4 addr flush scope global
ip -6 -o addr show dev eth1 scope link | awk '{sub("/.*", "", $4); print $4}'
"""


@dataclass(frozen=True)
class Machines:
    """Containers that have been handed over, and an inventory with some of them."""

    folder: Path
    addresses: Mapping[str, str]
    paths: Paths

    def execute(self, name: str, script: str, *arguments: str) -> str:
        """What a script prints that a machine's owner runs there, as root."""
        container = f"roost-{self.paths.cluster}-{name}"
        return docker("exec", container, "sh", "-c", script, "sh", *arguments)

    def hand_over(self, name: str) -> None:
        self.execute(name, HAND_OVER, USER, PASSWORD, "" if name in ASKS else "NOPASSWD:")

    # -- Ansible ----------------------------------------------------------------------------

    def list_workers(self, *names: str, **hosts: Mapping[str, Any]) -> None:
        """Write the inventory: the example with these workers, and `hosts` have more variables
        (`worker_1={…}` is worker-1)."""
        inventory = yaml.safe_load(EXAMPLE.read_text())
        cluster = inventory["all"]["children"]["cluster"]
        groups = cluster["children"]
        groups["workers"]["hosts"] = {name: {} for name in names}
        listed = {**groups["control_plane"]["hosts"], **groups["workers"]["hosts"]}
        for name, variables in listed.items():
            variables["ansible_host"] = self.addresses[name]
            if name in ASKS:
                variables["ansible_become_password"] = PASSWORD
            variables.update(hosts.get(name.replace("-", "_"), {}))
        assert cluster["vars"]["ansible_user"] == USER
        cluster["vars"]["ansible_ssh_private_key_file"] = str(self.paths.directory / "node_key")
        known = f"-o UserKnownHostsFile={self.paths.known_hosts}"
        cluster["vars"]["ansible_ssh_common_args"] = f"{known} -o StrictHostKeyChecking=accept-new"
        inventory["all"]["children"]["provider_docker"] = {"hosts": {name: {} for name in listed}}
        (self.folder / "inventory" / "hosts.yml").write_text(yaml.safe_dump(inventory))

    def play(self, name: str, *arguments: str) -> Ran:
        """Run a playbook over the inventory, which no setting of a cluster is about."""
        inventory = f"--inventory={self.folder / 'inventory'}"
        playbook = f"playbooks/{name}.yml"
        return command.run(
            "ansible-playbook", inventory, *arguments, playbook, ROOST_CLUSTER="", ROOST_TESTS=""
        )

    # -- What else owners do ----------------------------------------------------------------

    def close_by_nftables(self, name: str, ports: list[str], pods: str) -> None:
        split = [port.split("/") for port in ports]
        accepted = "\n    ".join(f"{kind} dport {port} accept" for port, kind in split)
        rules = NFTABLES.format(accepted=accepted, pods=pods)
        self.execute(name, 'printf %s "$1" | nft --file -', rules)

    def close_by_ufw(self, name: str, ports: list[str], pods: str) -> None:
        allowed = [*ports, f"from {pods}"]
        routed = [f"from {pods}", f"to {pods}"]
        commands = [f"ufw allow {each}" for each in allowed]
        commands += [f"ufw route allow {each}" for each in routed]
        self.execute(name, " && ".join([*commands, "ufw --force enable"]))

    @contextmanager
    def only_ipv6(self, name: str) -> Iterator[str]:
        """A machine has no IPv4 address; the one at which it is reached then."""
        bridge = docker("network", "inspect", "--format={{.Id}}", f"roost-{self.paths.cluster}")
        address = self.execute(name, ONLY_IPV6).strip()
        try:
            yield f"{address}%br-{bridge[:12]}"
        finally:
            self.execute(name, "sh -e /root/before")

    @contextmanager
    def without(self, name: str, path: str) -> Iterator[None]:
        """A machine lacks an executable."""
        self.execute(name, 'mv "$1" "$1.away"', path)
        try:
            yield
        finally:
            self.execute(name, 'mv "$1.away" "$1"', path)

    @contextmanager
    def another_system(self, name: str, os_release: str) -> Iterator[None]:
        """A machine says that it has another system."""
        script = 'printf %s "$1" > /run/another && mount --bind /run/another /usr/lib/os-release'
        self.execute(name, script, os_release)
        try:
            yield
        finally:
            self.execute(name, "umount /usr/lib/os-release")
