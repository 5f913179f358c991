# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a node doesn't come up, as its journal and its containers' logs show it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from ansible_collections.roost.cluster.plugins.module_utils.api.expiry import RENEWAL
from ansible_collections.roost.cluster.plugins.module_utils.node.listeners import listeners

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
LOGS = Path("/var/log/pods")
# What fills up, and may be on a disk of its own.
DISKS = ("/var/lib/etcd", "/var/lib/kubelet", "/var/lib/containerd", "/var/log")
# etcd, the API server and kubelet, each of which listens on 127.0.0.1 as well.
PORTS = (2379, 6443, 10250)
ANSWER_SECONDS = 2.0
JOURNAL = ["journalctl", "-u", "kubelet.service", "-n", "200", "--no-pager", "-o", "cat"]
LAST = 8
LOG_LINES = 100
MIB = 1 << 20

# Each container's own line, below the time and the stream that the runtime writes before it.
_CRI = re.compile(r"^\S+ (?:stdout|stderr) [FP] ")


@dataclass(frozen=True)
class Cause:
    """Words that show it, and what to say then."""

    shows: re.Pattern[str]
    means: Callable[[re.Match[str]], str]


def _certificate(match: re.Match[str]) -> str:
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    clocks = f"{match[0]}. It is {now} here: set both clocks right, by NTP for example"
    if match["side"] != "after":
        return f"a clock is off, of this machine or of the one that made the certificate: {clocks}"
    return f"a certificate ran out on {match['limit']}, or a clock is off: {clocks}; {RENEWAL}"


def _disk(_match: re.Match[str]) -> str:
    usage = {path: shutil.disk_usage(path) for path in ("/", *DISKS) if Path(path).is_dir()}
    path = min(usage, key=lambda path: usage[path].free)
    free, total = usage[path].free // MIB, usage[path].total // MIB
    return f"a disk is full: found {free} of {total} MiB free at {path}; free some space there"


def _taken(match: re.Match[str]) -> str:
    port = int(match[1])
    holders = [f"{one.process} (process {one.pid})" for one in listeners(Path("/proc"), [port])]
    return (
        f"port {port} is taken: found held by {', '.join(holders) or 'a process that has ended'}, "
        "expected free; stop what holds it"
    )


def _blocked(match: re.Match[str]) -> str:
    return (
        f"TCP port {match[2]} is blocked: {match[1]} doesn't answer there; look at the firewalls "
        "of both machines (`iptables -L -n`, `nft list ruleset`)"
    )


CAUSES = (
    Cause(
        re.compile(r"inotify.*no space left on device"),
        lambda _match: (
            "the kernel's watches are used up: raise fs.inotify.max_user_watches on the machine "
            "that the nodes share, or on this one"
        ),
    ),
    Cause(
        re.compile(r"(?i:inotify|watch).*too many open files"),
        lambda _match: (
            "the kernel's inotify instances are used up: raise fs.inotify.max_user_instances on "
            "the machine that the nodes share, or on this one"
        ),
    ),
    Cause(
        re.compile(r"^(?!.*(?i:inotify|watch)).*too many open files"),
        lambda _match: (
            "a process has as many files open as it may: raise LimitNOFILE of its unit, as "
            "`systemctl show --property=LimitNOFILE kubelet containerd` shows it; a container "
            "node gets no more than Docker Engine has"
        ),
    ),
    Cause(re.compile(r"^(?!.*inotify).*no space left on device"), _disk),
    Cause(
        re.compile(
            r"certificate has expired or is not yet valid"
            r"(?:: current time \S+ is (?P<side>\w+) (?P<limit>[^\s\"\\]+))?"
        ),
        _certificate,
    ),
    Cause(re.compile(r"listen tcp4? \S*:(\d+): bind: address already in use"), _taken),
    Cause(
        re.compile(r"node IP: \\*\"([^\"\\]+)\\*\" not found in the host's network interfaces"),
        lambda match: (
            f"the node IP {match[1]} is on no interface of this machine: correct the "
            "inventory or the machine's network"
        ),
    ),
    Cause(
        re.compile(r"failed to (?:pull|resolve)[^\"]*image \\*\"([^\"\\]+)"),
        lambda match: (
            f"the image {match[1]} can't be had from the bundle's registry: `make bundle` "
            "fills the bundle, playbooks/registry.yml brings it there"
        ),
    ),
    Cause(
        re.compile(r"dial tcp ([\d.]+):(\d+): (?:i/o timeout|connect: no route to host)"), _blocked
    ),
)


def told() -> str:
    """Lines that name each probable cause and what shows it; the last words if none is known."""
    said = sources()
    return "\n".join([*blocked_ports(PORTS), *shown(said)] or last_words(said))


def blocked_ports(ports: Sequence[int]) -> list[str]:
    """Ports of this machine on which something listens that nobody reaches."""
    lines = []
    for listener in listeners(Path("/proc"), ports):
        try:
            socket.create_connection(("127.0.0.1", listener.port), ANSWER_SECONDS).close()
        except socket.timeout:  # in Python 3.9 no TimeoutError yet
            lines += [
                f"probable cause: TCP port {listener.port} is blocked; look at this machine's "
                "firewall (`iptables -L -n`, `nft list ruleset`)",
                f"  it shows in that {listener.process} (process {listener.pid}) listens there and "
                f"a connection to 127.0.0.1 isn't made within {ANSWER_SECONDS:g} s",
            ]
        except OSError:
            continue  # it has just ended, or refuses: that is no firewall's silence
    return lines


def last_words(said: Mapping[str, Sequence[str]]) -> list[str]:
    lines = []
    for source, words in said.items():
        lines += [f"the last lines of {source}:", *(f"  | {line}" for line in words[-LAST:])]
    return ["no cause that is known shows;", *lines]


def shown(said: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Each cause that lines show, given by their source, with the newest line that does."""
    for cause in CAUSES:
        for source, words in said.items():
            matches = ((line, cause.shows.search(line)) for line in reversed(words))
            line, match = next(((line, match) for line, match in matches if match), ("", None))
            if match:
                yield f"probable cause: {cause.means(match)}"
                yield f"  it shows in {source}: {line.strip()}"
                break


def sources() -> dict[str, list[str]]:
    """What kubelet and the control plane's containers said last, by where it stands."""
    said = {"`journalctl -u kubelet`": journal()}
    for component in COMPONENTS:
        path = _newest(component)
        if path:
            said[str(path)] = log(component)
    return said


def journal() -> list[str]:
    """kubelet's last lines."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(JOURNAL, capture_output=True, text=True, timeout=10, check=False)
        return done.stdout.splitlines()
    return []


def log(component: str) -> list[str]:
    """The last lines of a component of the control plane."""
    path = _newest(component)
    if path is None:
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    return [_CRI.sub("", line) for line in lines]


def _newest(component: str) -> Path | None:
    logs = LOGS.glob(f"kube-system_{component}-*/{component}/*.log")
    return max(logs, key=lambda path: path.stat().st_mtime, default=None)
