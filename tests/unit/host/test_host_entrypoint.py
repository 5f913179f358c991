# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The node image's entrypoint: which commands it plans for the mounts that Docker makes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ENTRYPOINT = Path(__file__).resolve().parents[3] / "bundle" / "images" / "node" / "entrypoint"
DATA = Path(__file__).with_name("data")
FLAGS = "rw,nosuid,nodev,noexec,relatime"
CONTROLLERS = ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"]


@pytest.fixture
def first_start(tmp_path: Path) -> dict[str, str]:
    """A container that has neither /dev/kmsg nor host keys."""
    return {"ROOST_KMSG": str(tmp_path / "kmsg"), "ROOST_HOST_KEYS": str(tmp_path)}


def plan(table: Path, variables: dict[str, str]) -> list[str]:
    done = subprocess.run(
        [ENTRYPOINT, "plan"],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "ROOST_MOUNT_TABLE": str(table), **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def remounts(table: Path, variables: dict[str, str]) -> list[str]:
    return [line for line in plan(table, variables) if "remount" in line]


def test_every_control_group_of_version_1_and_sys_become_writable(
    first_start: dict[str, str],
) -> None:
    """The table was recorded in a container of Docker 20.10 on a host with cgroup v1."""
    targets = ["/sys", *(f"/sys/fs/cgroup/{name}" for name in [*CONTROLLERS, "systemd"])]
    assert remounts(DATA / "mounts-cgroup-v1.txt", first_start) == [
        f"mount -o remount,bind,{FLAGS} {target}" for target in targets
    ]


def test_the_one_control_group_tree_of_version_2_and_sys_become_writable(
    first_start: dict[str, str],
) -> None:
    assert remounts(DATA / "mounts-cgroup-v2.txt", first_start) == [
        f"mount -o remount,bind,{FLAGS} /sys",
        f"mount -o remount,bind,{FLAGS} /sys/fs/cgroup",
    ]


@pytest.mark.parametrize("table", ["mounts-cgroup-v1.txt", "mounts-cgroup-v2.txt"])
def test_what_is_writable_is_left_alone(
    table: str, tmp_path: Path, first_start: dict[str, str]
) -> None:
    writable = tmp_path / "mounts"
    writable.write_text((DATA / table).read_text().replace(" ro,", " rw,"))
    assert remounts(writable, first_start) == []


def test_a_mount_with_tags_is_read_rightly(tmp_path: Path, first_start: dict[str, str]) -> None:
    """The tags are as many as the kernel likes; what follows them is found behind the dash."""
    table = tmp_path / "mounts"
    table.write_text(
        "81 77 0:45 / /sys ro,nosuid shared:9 master:2 - sysfs sysfs ro\n"
        "82 77 0:46 / /data ro,nosuid shared:9 - sysfs sysfs ro\n"
        "83 77 0:47 / /sys/firmware ro,nosuid shared:9 - tmpfs tmpfs ro\n"
    )
    assert remounts(table, first_start) == ["mount -o remount,bind,rw,nosuid /sys"]


def test_a_first_start_makes_the_kernel_log_and_host_keys(
    tmp_path: Path, first_start: dict[str, str]
) -> None:
    commands = plan(DATA / "mounts-cgroup-v2.txt", first_start)[2:]
    assert commands == [
        f"mknod {tmp_path}/kmsg c 1 11",
        "mount --make-rshared /",
        *(
            f"rm -f {tmp_path}/ssh_host_{kind}_key; "
            f"ssh-keygen -q -t {kind} -N '' -f {tmp_path}/ssh_host_{kind}_key"
            for kind in ("ed25519", "ecdsa")
        ),
    ]


def test_a_later_start_keeps_the_host_keys(tmp_path: Path, first_start: dict[str, str]) -> None:
    for name in ("kmsg", "ssh_host_ed25519_key.pub", "ssh_host_ecdsa_key.pub"):
        (tmp_path / name).write_text("there")
    assert plan(DATA / "mounts-cgroup-v2.txt", first_start)[2:] == ["mount --make-rshared /"]
