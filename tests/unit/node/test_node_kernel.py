# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import errno
import platform
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node.core import Node, StateError
from ansible_collections.roost.cluster.plugins.module_utils.node.hosts import hosts_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.kernel_modules import (
    look_modules,
    module_steps,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.swap import swap_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.sysctls import (
    check_only,
    check_sysctls,
    location,
    normal,
    plan_sysctls,
    sysctl_steps,
)

from tests.unit.node.helpers import Commands

SWAPS = "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 8 0 -2\n/swap.img file 8 0 -3\n"


def put(node: Node, path: str, content: str = "") -> Path:
    place = node.at(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)
    return place


# Kernel modules


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/proc/modules", "xfs 1 0 - Live 0x0\nbr_netfilter 32768 0 - Live 0x0\n"),
        ("/sys/module/br_netfilter/refcnt", "0"),
        (f"/lib/modules/{platform.release()}/modules.builtin", "kernel/net/br-netfilter.ko\n"),
        # what is all that a container on a kernel without modules sees
        ("/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n"),
    ],
)
def test_a_module_that_is_there_is_not_loaded(node: Node, path: str, content: str) -> None:
    put(node, path, content)
    assert look_modules(node, ["br-netfilter"]).present == {"br_netfilter"}


def test_overlay_is_known_by_its_file_system(node: Node) -> None:
    put(node, "/proc/filesystems", "nodev\tsysfs\nnodev\toverlay\n\text4\n")
    assert look_modules(node, ["overlay"]).present == {"overlay"}
    put(node, "/proc/filesystems", "nodev\toverlayish\n")
    assert not look_modules(node, ["overlay"]).present


def test_modules_that_can_be_loaded_are_known(node: Node) -> None:
    put(
        node,
        f"/lib/modules/{platform.release()}/modules.dep",
        "kernel/fs/overlayfs/overlay.ko.xz: kernel/lib/x.ko.xz\n",
    )
    seen = look_modules(node, ["overlay"])
    assert ("overlay" in seen.loadable, seen.present) == (True, frozenset())


def test_a_module_is_loaded_and_noted_for_the_next_start(node: Node, commands: Commands) -> None:
    put(node, "/sys/module/overlay/x")
    wanted = {"kernel_modules": ["overlay", "br_netfilter"]}
    load, persist = module_steps(wanted, node, [])
    assert (load.what, load.why) == ("kernel module br_netfilter", "not loaded")
    load.act()
    persist.act()
    assert commands.ran == [("modprobe", "br_netfilter")]
    put(node, "/sys/module/br_netfilter/x")
    assert module_steps(wanted, node, []) == []
    assert node.read(
        "/etc/modules-load.d/roost.conf",
    ) == ("# Managed by Roost: loaded at each start\noverlay\nbr_netfilter\n")


def test_a_module_that_is_not_to_be_had_is_named(node: Node, commands: Commands) -> None:
    commands.answer("modprobe", rc=1, err="modprobe: FATAL: Module x not found")
    with pytest.raises(StateError, match=r"kernel module x: .*`modprobe x` ended with 1.*FATAL"):
        module_steps({"kernel_modules": ["x"]}, node, [])[0].act()


# Settings


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.1/x", "net/ipv4/conf/eth0.1/x"),
        ("net.ipv4.conf.eth0/1.x", "net/ipv4/conf/eth0.1/x"),
    ],
)
def test_where_a_setting_lies(key: str, path: str) -> None:
    assert location(key) == f"/proc/sys/{path}"


def test_values_are_compared_as_the_kernel_means_them() -> None:
    assert normal(True) == normal("1 ") == normal(1) == "1"
    assert plan_sysctls(
        {"a": "1024 65535", "b": 1, "c": 5}, {"a": normal("1024\t65535"), "b": "0", "c": None}
    ) == [("b", "0", "1"), ("c", "missing", "5")]


def test_settings_are_made_and_kept(node: Node) -> None:
    live = put(node, "/proc/sys/net/ipv4/ip_forward", "0\n")
    wanted = {"sysctls": {"net.ipv4.ip_forward": True}}
    steps = sysctl_steps(wanted, node, [])
    assert [(step.what, step.why) for step in steps] == [
        ("sysctl net.ipv4.ip_forward", "0 → 1"),
        ("/etc/sysctl.d/90-roost.conf", "missing"),
    ]
    for step in steps:
        step.act()
    assert live.read_text() == "1\n"
    assert node.read("/etc/sysctl.d/90-roost.conf") == (
        "# Managed by Roost\nnet.ipv4.ip_forward = 1\n"
    )
    assert sysctl_steps(wanted, node, []) == []


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.EROFS, "read-only here"),
        (errno.EINVAL, "refuses this value"),
        (errno.EACCES, "root rights"),
    ],
)
def test_a_setting_that_can_not_be_made_is_named(
    node: Node, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    put(node, "/proc/sys/vm/x", "0\n")
    step = sysctl_steps({"sysctls": {"vm.x": 1}}, node, [])[0]

    def refuse(*args: Any, **options: Any) -> Any:
        raise OSError(number, "no")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StateError, match=f"sysctl vm.x can't be set to '1': .*{told}"):
        step.act()


def test_a_setting_without_its_module_is_named(node: Node) -> None:
    step = sysctl_steps({"sysctls": {"net.bridge.y": 1}}, node, [])[0]
    assert step.why == "missing → 1"
    with pytest.raises(StateError, match="net.bridge.y .*is the kernel module"):
        step.act()


def test_settings_that_are_only_checked(node: Node) -> None:
    live = {"a": "128", "b": "1", "c": None}
    assert check_sysctls({"a": ">=128", "b": 1}, live) == []
    assert check_sysctls({"a": ">= 1024", "b": "0", "c": 1}, live) == [
        "a is 128, expected >= 1024",
        "b is 1, expected 0",
        "c is missing, expected 1",
    ]
    wanted = {"sysctls_check": {"fs.x": 1}}
    with pytest.raises(StateError, match="fs.x is missing, expected 1"):
        check_only(wanted, node)
    node.check = True  # what a check would bring first is not there yet
    check_only(wanted, node)
    assert len(node.notes) == 1


# Swap


def test_swap_is_turned_off_now_and_for_the_next_start(node: Node, commands: Commands) -> None:
    put(node, "/proc/swaps", SWAPS)
    fstab = put(
        node,
        "/etc/fstab",
        "/dev/sda1 / ext4 defaults 0 1\n# /dev/x none swap sw 0 0\n/dev/sda2 none swap sw 0 0\n",
    )
    fstab.chmod(0o664)
    off, table, target = swap_steps({"swap": "off"}, node, [])
    assert off.why == "on: /dev/sda2, /swap.img"
    with pytest.raises(StateError, match="swapoff -a left /dev/sda2, /swap.img active"):
        off.act()
    assert commands.ran == [("swapoff", "-a")]
    put(node, "/proc/swaps", SWAPS.splitlines()[0])
    off.act()
    table.act()
    target.act()
    assert fstab.read_text().splitlines()[1:] == [
        "# /dev/x none swap sw 0 0",
        "# roost, swap is off: /dev/sda2 none swap sw 0 0",
    ]
    assert fstab.stat().st_mode & 0o777 == 0o664
    assert str(node.at("/etc/systemd/system/swap.target").readlink()) == "/dev/null"
    assert swap_steps({"swap": "off"}, node, []) == []


def test_swap_that_no_fstab_names_does_not_come_back_either(node: Node) -> None:
    """As zram and partitions of that type, which systemd finds by itself."""
    put(node, "/proc/swaps", SWAPS.splitlines()[0])
    [step] = swap_steps({"swap": "off"}, node, [])
    assert step.what == "/etc/systemd/system/swap.target"
    step.act()
    assert swap_steps({"swap": "off"}, node, []) == []


def test_swap_that_nobody_allowed_to_turn_off_is_named(node: Node) -> None:
    assert swap_steps({"swap": "fail"}, node, []) == []
    put(node, "/proc/swaps", SWAPS)
    assert swap_steps({"swap": "ignore"}, node, []) == []
    with pytest.raises(StateError, match=r"swap is on \(/dev/sda2, /swap.img\)"):
        swap_steps({"swap": "fail"}, node, [])


# Names


def test_bytes_that_are_no_text_survive(node: Node) -> None:
    hosts = put(node, "/etc/hosts")
    hosts.write_bytes(b"127.0.0.1 x # M\xfcller\n")
    (step,) = hosts_steps({"hosts_entries": {"a": "10.0.0.1"}}, node, [])
    step.act()
    assert hosts.read_bytes().startswith(b"127.0.0.1 x # M\xfcller\n# BEGIN")
    assert "M?ller" in step.diff()["before"]


def test_names_are_kept_in_a_block(node: Node) -> None:
    hosts = put(node, "/etc/hosts", "127.0.0.1 localhost\n")
    wanted = {"hosts_entries": {"control": "10.0.0.1", "api": "10.0.0.1", "worker": "10.0.0.2"}}
    (step,) = hosts_steps(wanted, node, [])
    assert step.why == "control, api, worker missing"
    step.act()
    assert hosts.read_text().splitlines()[2:4] == ["10.0.0.1 control api", "10.0.0.2 worker"]
    assert hosts_steps(wanted, node, []) == []
    wanted["hosts_entries"]["worker"] = "10.0.0.3"
    assert hosts_steps(wanted, node, [])[0].why == "'10.0.0.2 worker' → '10.0.0.3 worker'"
    with pytest.raises(StateError, match="control has 'somewhere', expected an IP address"):
        hosts_steps({"hosts_entries": {"control": "somewhere"}}, node, [])
