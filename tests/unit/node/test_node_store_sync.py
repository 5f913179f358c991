# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import io
import re
import sys
import tarfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.action.store_sync import ActionModule
from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError
from ansible_collections.roost.cluster.plugins.module_utils.node.store_layout import (
    Contents,
    blob_path,
    contents,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.store_stream import send, write_tar

from tests.unit.node.helpers import Store, digest_of
from tests.unit.playbook import run_playbook


@pytest.fixture
def bundle(store: Store) -> Contents:
    store.image("pilot", "istio/pilot", "1", [bytes(5_000_000), b"two"])
    return contents(store.root, store.components)


def stream(argv: list[str], store: Store, bundle: Contents, patience: float = 20) -> None:
    send(argv, store.root, bundle.blobs, bundle.owners, patience)


def test_blobs_arrive_as_files_named_by_their_digests(
    tmp_path: Path, store: Store, bundle: Contents
) -> None:
    target = tmp_path / "staging"
    target.mkdir()
    stream(["tar", "-x", "-m", "-f", "-", "-C", str(target)], store, bundle)
    assert {f"sha256:{entry.name}": entry.stat().st_size for entry in target.iterdir()} == (
        bundle.blobs
    )
    assert all(digest_of((target / digest[7:]).read_bytes()) == digest for digest in bundle.blobs)


def test_a_refusal_is_shown_with_what_was_said(store: Store, bundle: Contents) -> None:
    with pytest.raises(StateError, match=r"(?s)sending the blob sha256:.* \(pilot\): .*no-such"):
        stream(["tar", "-x", "-f", "-", "-C", "/no-such-folder"], store, bundle)


def test_a_connection_that_breaks_names_the_blob(store: Store, bundle: Contents) -> None:
    command = "import sys, time; sys.stdin.buffer.read(3000000); sys.exit('lost the machine')"
    with pytest.raises(StateError) as error:
        stream([sys.executable, "-c", command], store, bundle)
    assert f"sending the blob {digest_of(bytes(5_000_000))} (pilot): the connection broke" in str(
        error.value
    )
    assert "lost the machine" in str(error.value)


def test_a_stall_ends(store: Store, bundle: Contents) -> None:
    began = time.monotonic()
    with pytest.raises(StateError, match="nothing was taken for 0.3 s"):
        stream([sys.executable, "-c", "import time; time.sleep(60)"], store, bundle, patience=0.3)
    assert time.monotonic() - began < 10


def test_a_blob_that_changes_under_way_is_named(store: Store, bundle: Contents) -> None:
    (store.root / blob_path(digest_of(b"two"))).write_bytes(b"three")
    with pytest.raises(StateError, match="pilot: the blob .* has changed while it was sent"):
        stream(["cat"], store, bundle)
    (store.root / blob_path(digest_of(b"two"))).unlink()
    with pytest.raises(StateError, match="pilot: the blob .* is no longer in the store"):
        stream(["cat"], store, bundle)


def test_nothing_is_held_in_memory(store: Store, bundle: Contents) -> None:
    largest = 0

    class Sink(io.RawIOBase):
        def write(self, data: Any) -> int:
            nonlocal largest
            largest = max(largest, len(data))
            return len(data)

    write_tar(Sink(), store.root, bundle.blobs, bundle.owners, lambda digest: None)
    assert 0 < largest <= 1 << 20


# The action


class Connection:
    """A connection plugin as far as the action asks it."""

    become = None

    def __init__(self, transport: str, **options: Any) -> None:
        self.transport, self.options = transport, options
        self.files: dict[str, bytes] = {}

    def get_option(self, name: str) -> Any:
        return self.options.get(name)

    def _build_command(self, binary: str, subsystem: str, *words: str) -> list[bytes]:
        return [word.encode() for word in (binary, "-o", "ControlPersist=60s", *words)]

    def put_file(self, source: str, target: str) -> None:
        self.files[target] = Path(source).read_bytes()


def action(connection: Connection) -> Any:
    made = ActionModule.__new__(ActionModule)
    made._connection = connection
    made._play_context = SimpleNamespace(remote_addr="10.0.0.1")
    made._display = SimpleNamespace(vv=lambda text: None)
    return made


def test_ssh_is_streamed_through_as_the_plugin_connects() -> None:
    ssh = Connection("ssh", ssh_executable="ssh", host="node")
    assert action(ssh)._stream_command("tar -x -C '/a b'") == [
        b"ssh",
        b"-o",
        b"ControlPersist=60s",
        b"-T",
        b"-o",
        b"BatchMode=yes",
        b"node",
        b"exec tar -x -C '/a b'",
    ]
    assert action(Connection("local"))._stream_command("tar -C '/a b'") == ["tar", "-C", "/a b"]


@pytest.mark.parametrize(
    "connection", [Connection("community.docker.docker"), Connection("ssh", password="secret")]
)
def test_other_connections_carry_a_temporary_file(
    tmp_path: Path, store: Store, bundle: Contents, connection: Connection
) -> None:
    made, ran = action(connection), []

    def execute(command: str) -> dict[str, Any]:
        ran.append(command)
        return {"rc": 0, "stdout": "", "stderr": ""}

    made._low_level_execute_command = execute
    made._send(store.root, bundle.blobs, bundle, "/var/x/staging", 20)
    ((name, data),) = connection.files.items()
    assert name == "/var/x/staging/stream.tar"
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert {f"sha256:{entry.name}": entry.size for entry in tar} == bundle.blobs
    assert ran[0].startswith("tar -x -m -f /var/x/staging/stream.tar -C /var/x/staging ")
    made._low_level_execute_command = lambda command: {"rc": 2, "stdout": "", "stderr": "no space"}
    with pytest.raises(StateError, match="unpacking the blobs in /var/x/staging ended with 2: no"):
        made._send(store.root, bundle.blobs, bundle, "/var/x/staging", 20)


PLAYBOOK = """
- hosts: all
  gather_facts: false
  connection: local
  tasks:
    - &sync
      roost.cluster.store_sync: {lock: %(lock)s, store: %(store)s, root: %(root)s}
      check_mode: true
      diff: true
    - ansible.builtin.assert: {that: "'%(root)s' is not exists"}
    - <<: *sync
      check_mode: false
    - <<: *sync
      check_mode: false
"""


def test_a_local_machine_is_synchronised_by_a_playbook(
    tmp_path: Path, store: Store, bundle: Contents
) -> None:
    root, book = tmp_path / "root", tmp_path / "book.yml"
    lock = store.lock(tmp_path / "bundle.lock")
    book.write_text(PLAYBOOK % {"lock": lock, "store": store.root, "root": root})
    done = run_playbook(book, "-i", "here,")
    # In check mode, that nothing was written, without it, and again.
    ended = re.findall(r"^(\w+): \[here\]", done.stdout, re.MULTILINE)
    assert ended == ["changed", "ok", "changed", "ok"], done.stdout + done.stderr
    assert "bundle component pilot: 4 blobs, 4.8 MiB: missing" in done.stdout
    assert {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} == {
        *store.files(),
        "verified.json",
    }
