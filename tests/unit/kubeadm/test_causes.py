# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is read from lines that kubelet, etcd and the API server wrote."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import causes

ETCD_FULL = (
    '{"level":"panic","ts":"2026-11-28T16:21:32.223648Z","caller":"etcdserver/bootstrap.go:663",'
    '"msg":"failed to create WAL","error":"no space left on device"}'
)
INOTIFY = (
    '"Failed to start cAdvisor" err="inotify_add_watch /sys/fs/cgroup: no space left on device"'
)
INSTANCES = '"Failed to start cAdvisor" err="inotify_init: too many open files"'
WATCHER = "failed to start plugin fsWatcher, err: too many open files"
FILES = '"http: Accept error: accept tcp 0.0.0.0:10250: accept4: too many open files; retrying"'
CLOCK = (
    '"Unable to register node with API server" err="Post \\"https://192.168.56.100:6443/api/v1/'
    'nodes\\": tls: failed to verify certificate: x509: certificate has expired or is not yet '
    'valid: current time 2026-11-28T16:00:00Z is before 2026-11-28T18:00:00Z"'
)
EXPIRED = CLOCK.replace("is before", "is after")
NODE_IP = (
    '"Failed to set some node status fields" err="failed to validate nodeIP: node IP: '
    '\\"10.9.9.9\\" not found in the host\'s network interfaces" node="control"'
)
IMAGE = (
    '"Failed to create sandbox for pod" err="rpc error: code = NotFound desc = failed to start '
    'sandbox: failed to get sandbox image \\"registry.k8s.io/pause:9\\": failed to pull image '
    '\\"registry.k8s.io/pause:9\\": not found"'
)
TAKEN = 'err="failed to listen on :{}: listen tcp 0.0.0.0:{}: bind: address already in use"'
TIMEOUT = '"Failed to ensure lease exists" err="dial tcp 192.168.56.100:6443: i/o timeout"'
NOISE = (
    'E1128 16:21:52 "Unhandled Error" err="dial tcp 127.0.0.1:2379: connect: connection refused"'
)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (ETCD_FULL, "a disk is full: found "),
        (INOTIFY, "the kernel's watches are used up: raise fs.inotify.max_user_watches "),
        (INSTANCES, "the kernel's inotify instances are used up: raise fs.inotify.max_user_i"),
        (WATCHER, "the kernel's inotify instances are used up: raise fs.inotify.max_user_i"),
        (FILES, "a process has as many files open as it may: raise LimitNOFILE of its unit, "),
        (CLOCK, "a clock is off, of this machine or of the one that made the certificate: "),
        (EXPIRED, "a certificate ran out on 2026-11-28T18:00:00Z, or a clock is off: "),
        (NODE_IP, "the node IP 10.9.9.9 is on no interface of this machine: correct the "),
        (IMAGE, "the image registry.k8s.io/pause:9 can't be had from the bundle's registry: "),
        (TIMEOUT, "TCP port 6443 is blocked: 192.168.56.100 doesn't answer there; "),
    ],
)
def test_a_line_shows_a_cause(line: str, cause: str) -> None:
    told, shows = causes.shown({"the journal": [NOISE, line, NOISE]})
    assert told.startswith(f"probable cause: {cause}")
    assert shows == f"  it shows in the journal: {line}"


def test_how_certificates_are_renewed_is_told_where_one_may_have_run_out() -> None:
    expired, early = (next(causes.shown({"a log": [line]})) for line in (EXPIRED, CLOCK))
    assert "set both clocks right" in expired
    assert "`kubeadm certs renew all`" in expired
    assert "renew" not in early


def test_who_has_the_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        told, _shows = causes.shown({"a log": [TAKEN.format(port, port)]})
    assert f"port {port} is taken: found held by " in told
    assert f"(process {os.getpid()}), expected free" in told


def test_the_newest_line_is_told() -> None:
    _told, shows = causes.shown({"a log": [TIMEOUT.replace("6443", "1"), NOISE, TIMEOUT]})
    assert shows.endswith(TIMEOUT)


def test_each_cause_is_told_once() -> None:
    said = {"one log": [ETCD_FULL, CLOCK], "another": [CLOCK]}
    assert [line.split(":")[0] for line in causes.shown(said)] == [
        "probable cause",
        "  it shows in one log",
    ] * 2


def test_noise_shows_nothing_and_the_last_words_are_told() -> None:
    said = {"a log": [f"{NOISE} {number}" for number in range(20)]}
    assert list(causes.shown(said)) == []
    told = causes.last_words(said)
    assert told[1] == "the last lines of a log:"
    assert told[2:] == [f"  | {NOISE} {number}" for number in range(12, 20)]


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port on which connections aren't taken any more, as packets that are lost look."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        waiting = []
        try:
            for _ in range(3):
                client = socket.socket()
                client.settimeout(0.2)
                waiting.append(client)
                client.connect(address)
        except socket.timeout:
            pass
        yield address[1]
        for client in waiting:
            client.close()


def test_a_port_that_nobody_reaches(deaf: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causes, "ANSWER_SECONDS", 0.3)
    told, shows = causes.blocked_ports([deaf])
    assert told.startswith(f"probable cause: TCP port {deaf} is blocked; look at this machine's f")
    assert f"(process {os.getpid()}) listens there" in shows
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert causes.blocked_ports([server.getsockname()[1]]) == []


def test_logs_are_read_without_what_the_runtime_adds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kube-system_etcd-control_1234" / "etcd"
    folder.mkdir(parents=True)
    (folder / "0.log").write_text("2026-11-28T16:21:32.223+01:00 stderr F old\n")
    (folder / "1.log").write_text("2026-11-28T16:21:33.223+01:00 stderr F no space\n")
    os.utime(folder / "0.log", (1, 1))
    monkeypatch.setattr(causes, "LOGS", tmp_path)
    assert causes.log("etcd") == ["no space"]
    assert causes.log("kube-apiserver") == []
    assert str(folder / "1.log") in causes.sources()
