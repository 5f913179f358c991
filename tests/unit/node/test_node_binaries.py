# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node import digests
from ansible_collections.roost.cluster.plugins.module_utils.node.binaries import STATE, binary_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.core import Node, StateError, Step
from ansible_collections.roost.cluster.plugins.module_utils.node.engine import Outcome, act
from ansible_collections.roost.cluster.plugins.module_utils.node.fetch import Source, install
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import Rights, temporary

from tests.unit.node.helpers import BlobHandler, Store

CONTENT = b"\x7fELF" + bytes(range(256)) * 20_000


def wanted(of: dict[str, Any], name: str = "kubelet") -> dict[str, Any]:
    return {
        "name": name,
        "path": f"/usr/local/bin/{name}",
        "repository": f"files/{name}",
        "blob": of["blob"],
        "sha256": of["sha256"],
    }


def plan(node: Node, registry: type[BlobHandler], *items: dict[str, Any]) -> list[Step]:
    return binary_steps({"registry": registry.address, "binaries": list(items)}, node, [])


def fetch_quickly(registry: type[BlobHandler], of: dict[str, Any], path: Path) -> None:
    install(
        Source(registry.address),
        "files/kubelet",
        of["blob"],
        of["sha256"],
        path,
        Rights(0o755, None, None),
        pause=lambda seconds: None,
    )


def test_several_are_fetched_and_checked(node: Node, registry: type[BlobHandler]) -> None:
    items = [wanted(registry.serve(CONTENT + bytes([n])), f"b{n}") for n in range(6)]
    steps = plan(node, registry, *items)
    assert [step.why for step in steps] == ["missing"] * 6
    outcome = Outcome()
    act(steps, outcome)
    assert len(outcome.done) == 6
    for n in range(6):
        place = node.at(f"/usr/local/bin/b{n}")
        assert place.read_bytes() == CONTENT + bytes([n])
        assert place.stat().st_mode & 0o7777 == 0o755
    assert sorted(registry.asked)[0].startswith("/v2/files/b0/blobs/sha256:")
    assert plan(node, registry, *items) == []


def test_an_installed_one_is_hashed_once_only(
    node: Node, registry: type[BlobHandler], monkeypatch: pytest.MonkeyPatch
) -> None:
    item = wanted(registry.serve(CONTENT))
    act(plan(node, registry, item), Outcome())
    assert list(json.loads(node.at(STATE).read_text())) == [str(node.at(item["path"]))]
    monkeypatch.setattr(digests, "sha256_of", lambda path: pytest.fail("read again"))
    assert plan(node, registry, item) == []


def test_an_altered_one_is_noticed_although_its_times_were_set_back(
    node: Node, registry: type[BlobHandler]
) -> None:
    item = wanted(registry.serve(CONTENT))
    act(plan(node, registry, item), Outcome())
    place = node.at(item["path"])
    found = place.stat()
    time.sleep(digests.TICK_NS / 1e9)
    with place.open("r+b") as target:
        target.write(b"EVIL")
    os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))
    (step,) = plan(node, registry, item)
    assert step.why.startswith("kubelet: installed sha256 ")
    assert f"≠ bundle's {item['sha256'][:12]}…" in step.why
    step.act()
    assert place.read_bytes() == CONTENT


def test_a_check_writes_nothing(node: Node, registry: type[BlobHandler]) -> None:
    place = node.at("/usr/local/bin/kubelet")
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    node.check = True
    assert plan(node, registry, wanted(registry.serve(b"other")))[0].changes
    assert not node.at(STATE).exists()


def test_a_state_file_of_rubbish_costs_only_time(node: Node, registry: type[BlobHandler]) -> None:
    item = wanted(registry.serve(CONTENT))
    act(plan(node, registry, item), Outcome())
    for rubbish in ("{", "[]", '{"/x": 1}'):
        node.at(STATE).write_text(rubbish)
        assert plan(node, registry, item) == []


def test_only_the_mode_is_wrong(node: Node, registry: type[BlobHandler]) -> None:
    item = wanted(registry.serve(CONTENT))
    act(plan(node, registry, item), Outcome())
    node.at(item["path"]).chmod(0o600)
    (step,) = plan(node, registry, item)
    assert (step.why, step.changes) == ("mode 0600 → 0755", ())
    asked = len(registry.asked)
    step.act()
    assert plan(node, registry, item) == []
    assert len(registry.asked) == asked


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (["truncated"] * 3, r"tried 3 times: .*truncated: found \d+ bytes, expected \d+"),
        (["corrupt"], "it is corrupt, expected gzip: .*playbooks/registry.yml"),
        (["other"], "it is corrupt: expected sha256 .*, found .*playbooks/registry.yml"),
        (["404"], "answered 404 .*expected the blob: playbooks/registry.yml"),
        (["503"] * 3, "tried 3 times: .*answered 503"),
    ],
)
def test_a_bad_answer_is_named_and_leaves_the_old_file(
    tmp_path: Path, registry: type[BlobHandler], fault: list[str], told: str
) -> None:
    of = registry.serve(CONTENT, *fault)
    path = tmp_path / "kubelet"
    path.write_text("old")
    with pytest.raises(StateError, match=f"(?s){told}") as error:
        fetch_quickly(registry, of, path)
    assert f"files/kubelet (blob {of['blob']}): nothing was installed" in str(error.value)
    assert path.read_text() == "old"
    assert list(tmp_path.glob("*kubelet*")) == [path]


def test_what_passes_is_tried_again(tmp_path: Path, registry: type[BlobHandler]) -> None:
    of = registry.serve(CONTENT, "503", "truncated")
    fetch_quickly(registry, of, tmp_path / "kubelet")
    assert (tmp_path / "kubelet").read_bytes() == CONTENT
    assert len(registry.asked) == 3


def test_a_blob_that_holds_another_file_than_the_lock_says(
    tmp_path: Path, registry: type[BlobHandler]
) -> None:
    of = {**registry.serve(CONTENT), "sha256": "0" * 64}
    with pytest.raises(StateError, match="the file in it is corrupt: expected sha256 0000"):
        fetch_quickly(registry, of, tmp_path / "kubelet")
    assert list(tmp_path.glob("*kubelet*")) == []


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(
        StateError, match="files/x .*Connection refused.*systemctl status roost-registry"
    ):
        install(
            Source("http://127.0.0.1:9"),
            "files/x",
            "sha256:" + "0" * 64,
            "0" * 64,
            tmp_path / "x",
            Rights(0o755, None, None),
            pause=lambda seconds: None,
        )


def test_all_failures_of_a_batch_are_told(node: Node, registry: type[BlobHandler]) -> None:
    items = [
        wanted(registry.serve(b"1", "404"), "one"),
        wanted(registry.serve(b"2"), "two"),
        wanted(registry.serve(b"3", "404"), "three"),
    ]
    outcome = Outcome()
    with pytest.raises(StateError) as error:
        act(plan(node, registry, *items), outcome)
    assert "files/one" in str(error.value)
    assert "files/three" in str(error.value)
    assert [step.what for step in outcome.done] == ["/usr/local/bin/two"]


def test_the_first_machine_takes_them_from_its_own_store(node: Node, store: Store) -> None:
    item = wanted(store.file("registry", "v3", CONTENT), "registry")
    (step,) = binary_steps({"store": str(store.root), "binaries": [item]}, node, [])
    step.act()
    assert node.at(item["path"]).read_bytes() == CONTENT
    lost = wanted({"blob": "sha256:" + "1" * 64, "sha256": "2" * 64}, "lost")
    (step,) = binary_steps({"store": str(store.root), "binaries": [lost]}, node, [])
    with pytest.raises(StateError, match="1111.*the store lacks it.*playbooks/registry.yml"):
        step.act()


def test_binaries_need_a_source(node: Node) -> None:
    item = wanted({"blob": "sha256:" + "1" * 64, "sha256": "2" * 64})
    with pytest.raises(StateError, match="need registry or store"):
        binary_steps({"binaries": [item]}, node, [])


def test_a_killed_fetch_is_done_again(node: Node, registry: type[BlobHandler]) -> None:
    item = wanted(registry.serve(CONTENT))
    place = node.at(item["path"])
    place.parent.mkdir(parents=True)
    temporary(place).write_bytes(CONTENT[:1000])
    act(plan(node, registry, item), Outcome())
    assert list(place.parent.iterdir()) == [place]
