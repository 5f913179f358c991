# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The container nodes: what a small Debian machine has, and the two networks of a VM."""

from __future__ import annotations

from typing import Any


def test_systemd_has_started_everything(host: Any) -> None:
    # It waits until the start has ended; `degraded` would mean a unit that failed.
    assert host.run("systemctl is-system-running --wait").stdout.strip() == "running"


def test_a_service_gets_a_control_group(host: Any) -> None:
    done = host.run("systemd-run --wait --pipe --quiet cat /proc/self/cgroup")
    assert done.rc == 0, done.stderr
    assert "/system.slice/run-" in done.stdout


def test_the_default_route_is_not_the_private_network(host: Any, setting: Any) -> None:
    prefix = setting("subnet").rpartition(".")[0]
    [private] = [each for each in host.interface("eth1").addresses if "." in each]
    assert private.startswith(f"{prefix}.10")
    assert host.run("ip -4 route show default").stdout.split()[4] == "eth0"


def test_the_disks_of_the_runtime_and_of_etcd_are_no_overlay(host: Any) -> None:
    for path in ("/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd"):
        assert host.mount_point(path).filesystem != "overlay"
