# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError
from ansible_collections.roost.cluster.plugins.module_utils.node.store_layout import (
    REGISTRY,
    Contents,
    blob_path,
    contents,
    read_lock,
    repository_and_tag,
    told_changes,
)

from tests.unit.node.helpers import PILOT, Store, digest_of


@pytest.mark.parametrize(
    ("reference", "repository", "tag"),
    [
        ("docker.io/istio/pilot:1.31.0", "istio/pilot", "1.31.0"),
        ("registry.k8s.io/etcd:3.6.16-0", "etcd", "3.6.16-0"),
        ("roost.internal/digits-app:v1", "digits-app", "v1"),
        ("localhost:5000/a/b:1", "a/b", "1"),
        ("localhost/a:1", "a", "1"),
        ("files/kubelet:v1.36.3", "files/kubelet", "v1.36.3"),
        ("pause:3", "pause", "3"),
    ],
)
def test_repositories_carry_no_registry(reference: str, repository: str, tag: str) -> None:
    assert repository_and_tag(reference) == (repository, tag)


def test_a_reference_without_a_tag_is_refused() -> None:
    with pytest.raises(StateError, match="'localhost:5000/x' has no tag"):
        repository_and_tag("localhost:5000/x")


def test_the_whole_bundle_is_exactly_the_store(store: Store, bundle: Contents) -> None:
    """Whatever is in the store is brought, and nothing else."""
    listed = {blob_path(digest) for digest in bundle.blobs}
    assert listed | {f"{REGISTRY}/{path}" for path in bundle.links} == store.files()
    assert bundle.blobs == {
        digest: (store.root / blob_path(digest)).stat().st_size for digest in bundle.blobs
    }
    for path, digest in bundle.links.items():
        assert (store.root / REGISTRY / path).read_text() == digest


def test_only_the_lock_and_the_names_count(store: Store, bundle: Contents) -> None:
    store.image("other", "other", "1", [b"other layer"])
    store.components.pop("other")
    assert contents(store.root, store.components) == bundle
    one = contents(store.root, store.components, ["kubelet"])
    assert set(one.owners.values()) == {"kubelet"}
    with pytest.raises(StateError, match="no component nope; it has kubelet, pilot"):
        contents(store.root, store.components, ["nope"])


def test_an_index_brings_the_platforms_that_are_there(store: Store) -> None:
    here = store.image_manifest("multi", b'{"architecture": "amd64"}', [b"amd64 layer"])
    absent = digest_of(b"the arm64 manifest")
    index = store.manifest("multi", {"manifests": [{"digest": here}, {"digest": absent}]})
    store.tag("multi", "1", index)
    store.components["multi"] = {"kind": "image", "name": "docker.io/multi:1", "digest": index}
    found = contents(store.root, store.components)
    assert {index, here, digest_of(b"amd64 layer")} < set(found.blobs)
    assert absent not in found.blobs
    assert {f"{REGISTRY}/{path}" for path in found.links} <= store.files()
    (store.root / blob_path(here)).unlink()
    with pytest.raises(StateError, match="multi: the store holds the index .* and no image of it"):
        contents(store.root, store.components)


def test_a_store_that_does_not_fit_its_lock_is_named(store: Store, bundle: Contents) -> None:
    def told() -> str:
        with pytest.raises(StateError) as error:
            contents(store.root, store.components)
        return str(error.value)

    layer = store.root / blob_path(digest_of(b"layer two"))
    layer.write_bytes(b"cut")
    assert "pilot: the blob" in told()
    assert "has 3 bytes in" in told()
    layer.unlink()
    assert f"lacks the blob {digest_of(b'layer two')}: run `python -m bundle fill pilot`" in told()
    manifest = store.root / blob_path(store.components["pilot"]["digest"])
    manifest.write_bytes(manifest.read_bytes().replace(b"config", b"konfig"))
    assert "pilot: the manifest sha256:" in told()
    store.components["pilot"]["digest"] = digest_of(b"newer")
    assert "but the lock says" in told()
    store.components["pilot"]["name"] = f"docker.io/{PILOT}:2"
    assert f"pilot: {PILOT}:2 is not in" in told()
    del store.components["pilot"]["digest"]
    assert "pilot: digest in the lock is None, expected sha256:" in told()
    del store.components["pilot"]
    store.components["kubelet"]["blob"] = digest_of(b"another file")
    assert "kubelet: the lock says that its file is" in told()


def test_the_lock_is_read(store: Store, tmp_path: Path) -> None:
    store.file("kubelet", "v1", b"x")
    assert list(read_lock(store.lock(tmp_path / "bundle.lock"))) == ["kubelet"]
    with pytest.raises(StateError, match="missing: fill the bundle first"):
        read_lock(tmp_path / "none")
    for rubbish in ("{", "{}", "[]", '{"components": []}'):
        (tmp_path / "rubbish").write_text(rubbish)
        with pytest.raises(StateError, match="rubbish: "):
            read_lock(tmp_path / "rubbish")


def test_changes_are_told_for_each_component(store: Store, bundle: Contents) -> None:
    missing = [{"digest": digest, "size": 1 << 20, "why": "missing"} for digest in bundle.blobs]
    seen: dict[str, Any] = {"missing": missing, "staged": [], "links": [{"path": "a", "why": "x"}]}
    assert told_changes(bundle, seen) == [
        {"what": "bundle component kubelet", "why": "3 blobs, 3.0 MiB: missing"},
        {"what": "bundle component pilot", "why": "4 blobs, 4.0 MiB: missing"},
    ]
    assert told_changes(bundle, {**seen, "missing": []}) == [
        {"what": "registry store", "why": "1 links, the first is a: x"}
    ]
    assert told_changes(bundle, {"missing": [], "staged": [], "links": []}) == []
