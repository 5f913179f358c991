# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""containerd, asked the way kubelet asks it: pulls, runs, and what is left after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SANDBOX = Path(__file__).with_name("cri_sandbox.py").read_text(encoding="utf-8")
ABSENT_IMAGE = Path(__file__).parents[1] / "absent_image.yml"
# What kubelet's containers are kept under.
KUBERNETES = "ctr --namespace k8s.io"


def containerd_answers(host: Any) -> bool:
    return bool(host.run("ctr version").rc == 0)


@pytest.fixture(scope="module")
def sandbox(host: Any) -> Iterator[str]:
    """The id of a pod's sandbox that runs on the node; the runtime pulls its image itself."""
    done = host.run("python3 -c %s run probe system.slice", SANDBOX)
    assert done.rc == 0, done.stderr
    identity = done.stdout.strip()
    yield identity
    host.run_expect([0], "python3 -c %s remove %s", SANDBOX, identity)


def process(host: Any, identity: str) -> int:
    """The sandbox's process, as containerd knows it; 0 if it doesn't run."""
    for line in host.check_output(f"{KUBERNETES} tasks ls").splitlines()[1:]:
        name, number, status = line.split()
        if name == identity and status == "RUNNING":
            return int(number)
    return 0


def test_the_daemon_is_the_one_of_the_bundle(host: Any, bundle: dict[str, Any]) -> None:
    server = host.check_output("ctr version").partition("Server:")[2]
    assert server.split()[1] == bundle["containerd"]["version"]


def test_it_starts_with_the_machine(host: Any) -> None:
    service = host.service("containerd")
    assert service.is_running
    assert service.is_enabled


def test_a_sandbox_runs(host: Any, sandbox: str) -> None:
    number = process(host, sandbox)
    assert number
    assert host.check_output(f"cat /proc/{number}/comm") == "pause"


def test_its_image_is_the_bundles(host: Any, sandbox: str, bundle: dict[str, Any]) -> None:
    """Nodes know no other registry: what they have comes from the first machine's."""
    pause = bundle["pause"]
    listed = host.check_output(f"{KUBERNETES} images ls name=={pause['name']}")
    assert pause["digest"] in listed.split()


def test_systemd_keeps_its_control_group(host: Any, sandbox: str) -> None:
    scope = f"cri-containerd-{sandbox}.scope"
    assert host.check_output(f"systemctl is-active {scope}") == "active"
    groups = host.check_output(f"cat /proc/{process(host, sandbox)}/cgroup").splitlines()
    assert any(line.endswith(f"/system.slice/{scope}") for line in groups)


def test_a_restart_leaves_containers_running(host: Any, sandbox: str, eventually: Any) -> None:
    before = process(host, sandbox)
    daemon = host.service("containerd").systemd_properties["MainPID"]
    host.run_expect([0], "systemctl restart containerd")
    assert host.service("containerd").systemd_properties["MainPID"] != daemon
    eventually(lambda: containerd_answers(host), True, 10)
    assert before
    assert process(host, sandbox) == before


def test_people_can_pull_as_well(host: Any, bundle: dict[str, Any]) -> None:
    name = bundle["coredns"]["name"]
    done = host.run(f"ctr images pull --hosts-dir /etc/containerd/certs.d {name}")
    assert done.rc == 0, done.stderr
    assert bundle["coredns"]["digest"] in host.check_output(f"ctr images ls name=={name}").split()
    host.run_expect([0], f"ctr images rm {name}")


def test_what_the_bundle_lacks_is_asked_of_nobody_else(
    playbook: Any, addresses: dict[str, str]
) -> None:
    """On each node a packet filter counts what goes to the registry in the image's name."""
    ran = playbook(ABSENT_IMAGE)
    assert ran.code == 0, ran.output
    assert {host: counts["ok"] for host, counts in ran.recap.items()} == dict.fromkeys(addresses, 1)


def test_no_registry_has_rules_of_its_own(host: Any) -> None:
    """By default: mirrors of single registries and proxies are for whoever sets them."""
    assert host.check_output("ls /etc/containerd/certs.d") == "_default"
    environment = host.file("/etc/roost/containerd.env").content_string
    assert "PROXY" not in environment


def test_nobody_but_root_can_change_it(host: Any) -> None:
    wanted = {
        "/etc/containerd/config.toml": "root root 644",
        "/etc/containerd/certs.d/_default/hosts.toml": "root root 644",
        "/etc/roost/containerd.env": "root root 600",
        "/etc/systemd/system/containerd.service": "root root 644",
        "/usr/local/bin/containerd": "root root 755",
        "/usr/local/sbin/runc": "root root 755",
        "/opt/cni/bin/flannel": "root root 755",
        "/run/containerd/containerd.sock": "root root 660",
    }
    listed = host.check_output("stat --format='%n %U %G %a' " + " ".join(wanted))
    assert dict(line.split(" ", 1) for line in listed.splitlines()) == wanted
