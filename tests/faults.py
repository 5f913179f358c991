# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Faults of machines that tests stage on container nodes, each gone again at its end.

Only the containers are touched. What they share with the machine that carries them stays as it is:
clock, memory, disk, kernel.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from host.docker_cli import docker

FAKETIME = Path(f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketime.so.1")
# The store of the registry, on the machine that has it.
STORE = "/var/lib/roost/registry"
# Answers everybody that all is well, as a server of somebody else's might.
SQUATTER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Answer).serve_forever()
"""


def bundle_cache() -> Path:
    return Path(os.environ.get("ROOST_CACHE") or Path.home() / ".cache" / "roost")


def blob_path(digest: str) -> str:
    """Where a blob lies, below a store's root."""
    value = digest.partition(":")[2]
    return f"docker/registry/v2/blobs/sha256/{value[:2]}/{value}/data"


def link_or_copy(source: str, target: str) -> None:
    """Another name of a file, or another file where that can't be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def container(node: str) -> str:
    return f"roost-molecule-{node}"


@contextmanager
def port_taken(machine: Any, port: int, address: str = "0.0.0.0") -> Iterator[None]:
    """Another process listens there and answers HTTP."""
    unit = f"squatter-{port}"
    machine.run_expect(
        [0],
        f"systemd-run --quiet --collect --unit={unit} python3 -c %s {address} {port}",
        SQUATTER,
    )
    try:
        until = time.monotonic() + 10
        while not machine.run(f"ss -Hltn 'sport = {port}'").stdout:
            assert time.monotonic() < until, machine.run(f"journalctl -u {unit}").stdout
            time.sleep(0.1)  # it tells nobody that it listens
        yield
    finally:
        machine.run_expect([0], f"systemctl stop {unit}")


@contextmanager
def small_disk(machine: Any, path: str, size: str) -> Iterator[None]:
    """A disk of this size over the path, empty; what was there is there again afterwards."""
    machine.run_expect([0], f"mkdir -p {path} && mount -t tmpfs -o size={size} small {path}")
    try:
        yield
    finally:
        # Lazily: a service may have its directory there.
        machine.run_expect([0], f"umount --lazy {path}")


@contextmanager
def content(machine: Any, path: str, text: str) -> Iterator[None]:
    """A file has this content. It is another file that lies over it."""
    over = f"/run/over{path.replace('/', '-')}"
    machine.run_expect([0], f"printf %s > {over} && mount --bind {over} {path}", text)
    try:
        yield
    finally:
        machine.run_expect([0], f"umount {path} && rm {over}")


@contextmanager
def moved_away(machine: Any, path: str) -> Iterator[None]:
    """A file isn't there; it comes back if nobody has put another one in its place."""
    machine.run_expect([0], f"mv {path} {path}.away")
    try:
        yield
    finally:
        machine.run_expect(
            [0], f"if [ -e {path} ]; then rm {path}.away; else mv {path}.away {path}; fi"
        )


@contextmanager
def kubeadm_replaced(machine: Any, script: str) -> Iterator[None]:
    """A script of the shell is run in the place of kubeadm, which it may call as $kubeadm.

    Its parent, $PPID, is our module on the machine.
    """
    path, folder = "/usr/local/bin/kubeadm", "/opt/kubeadm-replaced"
    text = f"#!/bin/sh\nkubeadm={folder}/real\n{script}\n"
    machine.run_expect([0], f"mkdir {folder} && cp {path} {folder}/real")
    machine.run_expect([0], f"printf %s > {folder}/script && chmod 755 {folder}/script", text)
    machine.run_expect([0], f"mount --bind {folder}/script {path}")
    try:
        yield
    finally:
        machine.run_expect([0], f"umount --lazy {path} && rm -r {folder}")


@contextmanager
def stopped(machine: Any, unit: str) -> Iterator[None]:
    """A service doesn't run."""
    machine.run_expect([0], f"systemctl stop {unit}")
    try:
        yield
    finally:
        machine.run_expect([0], f"systemctl start {unit}")


@contextmanager
def host_name(machine: Any, name: str) -> Iterator[None]:
    """A machine calls itself by another name."""
    own = machine.check_output("hostname")
    machine.run_expect([0], f"hostname {name}")
    try:
        yield
    finally:
        machine.run_expect([0], f"hostname {own}")


@contextmanager
def packets_lost(node: str, rule: str, target: str = "DROP") -> Iterator[None]:
    """Packets of a node that iptables' rule is about are lost. Also works for a node that can't be
    reached any more, because the container is asked."""
    words = [*shlex.split(rule), "-j", *shlex.split(target)]
    docker("exec", container(node), "iptables", "-I", *words)
    try:
        yield
    finally:
        docker("exec", container(node), "iptables", "-D", *words)


@contextmanager
def api_refused(addresses: dict[str, str]) -> Iterator[None]:
    """The controller's connections to the API server are refused; those of machines aren't.

    `addresses` are the machines', by their names.
    """
    controller = addresses["control"].rpartition(".")[0] + ".1"
    rule = f"INPUT -s {controller} -p tcp --dport 6443"
    with packets_lost("control", rule, "REJECT --reject-with tcp-reset"):
        yield


@contextmanager
def unreachable(node: str) -> Iterator[None]:
    """SSH gets no further than the node's door, also over connections that are open already."""
    with packets_lost(node, "INPUT -p tcp --dport 22", "REJECT --reject-with tcp-reset"):
        yield


@contextmanager
def clock_off(node: str, offset: str) -> Iterator[str]:
    """The path of a Python on the node whose clock is off, as in `-1h`; the node's own isn't."""
    folder = "/opt/clock-off"
    library, python = f"{folder}/{FAKETIME.name}", f"{folder}/python3"
    script = (
        f'#!/bin/sh\nexport LD_PRELOAD={library} FAKETIME={offset}\nexec /usr/bin/python3 "$@"\n'
    )
    docker("exec", container(node), "mkdir", folder)
    try:
        docker("cp", str(FAKETIME.resolve()), f"{container(node)}:{library}")
        write = f"printf %s {shlex.quote(script)} > {python} && chmod 755 {python}"
        docker("exec", container(node), "sh", "-c", write)
        yield python
    finally:
        docker("exec", container(node), "rm", "-r", folder)


def clock_of_process(offset: str) -> dict[str, str]:
    """The environment of a process on this machine whose clock is off."""
    return {"LD_PRELOAD": str(FAKETIME), "FAKETIME": offset}
