# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The component list: its keys change when, and only when, what goes in changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from bundle import components as module
from bundle.cache import Cache, Lock
from bundle.components import Components
from bundle.contents import is_current
from bundle.errors import BundleError

LIST = {
    "go": "1.26",
    "sources": {
        "base": {"version": "1", "debian": {"suite": "bookworm", "layers": {"root": ["bash"]}}},
        "tool": {"version": "v1", "go": {"module": "go/tool"}},
    },
    "components": {
        "tool": {"file": "tool/tool", "says": {"run": ["--version"], "contains": "v1"}},
        "image": {
            "image": "registry.example/image:v1",
            "dockerfile": "images/image",
            "base": "base/root",
            "context": {"tool": "tool/tool"},
        },
    },
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    for path, content in {
        "go/tool/go.mod": "module tool",
        "go/tool/go.sum": "sum",
        "images/image/Dockerfile": "FROM scratch",
        "components.yml": yaml.safe_dump(LIST),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    return tmp_path


def keys(repository: Path) -> dict[str, str]:
    found = Components("build", repository / "components.yml").components
    return {name: component.key for name, component in found.items()}


def changed(repository: Path, data: object) -> None:
    (repository / "components.yml").write_text(yaml.safe_dump(data))


@pytest.mark.parametrize(
    ("path", "affected"),
    [
        ("go/tool/go.sum", {"tool", "image"}),
        ("images/image/Dockerfile", {"image"}),
        ("images/image/new", {"image"}),
        ("images/image/tests/test_it.py", set()),
    ],
)
def test_a_changed_file_changes_the_keys_it_goes_into(
    repository: Path, path: str, affected: set[str]
) -> None:
    before = keys(repository)
    (repository / path).parent.mkdir(exist_ok=True)
    (repository / path).write_text("changed")
    after = keys(repository)
    assert {name for name in after if after[name] != before[name]} == affected


def test_a_changed_source_changes_what_is_made_from_it(repository: Path) -> None:
    before = keys(repository)
    data = json.loads(json.dumps(LIST))
    data["sources"]["base"]["debian"]["layers"]["root"].append("curl")
    changed(repository, data)
    after = keys(repository)
    assert after["tool"] == before["tool"]
    assert after["image"] != before["image"]


def test_how_it_is_fetched_does_not_change_the_key(repository: Path) -> None:
    before = keys(repository)
    data = json.loads(json.dumps(LIST))
    data["components"]["tool"]["fetch"] = {"url": "https://example.invalid/"}
    changed(repository, data)
    assert keys(repository) == before


def test_two_images_for_one_place_are_refused(repository: Path) -> None:
    data = json.loads(json.dumps(LIST))
    other = {**data["components"]["image"], "image": "other.example/image:v1"}
    changed(repository, {**data, "components": {**data["components"], "twin": other}})
    with pytest.raises(BundleError, match="other.example/image:v1 and registry.example/image:v1"):
        Components("build", repository / "components.yml")


def test_an_unknown_source_is_named(repository: Path) -> None:
    data = json.loads(json.dumps(LIST))
    data["components"]["tool"]["file"] = "tol/tool"
    changed(repository, data)
    with pytest.raises(BundleError, match="tool: tol is not among the sources"):
        Components("build", repository / "components.yml")


def test_a_component_is_current_only_with_its_key_and_its_blobs(
    repository: Path, tmp_path: Path
) -> None:
    component = Components("build", repository / "components.yml").components["tool"]
    cache = Cache(tmp_path / "cache")
    cache.prepare()
    lock = Lock(cache.lock_file)
    assert not is_current(cache, lock, component)
    stored = cache.store.add_file(repository / "go/tool/go.mod", "files/tool", "v1")
    entry = {
        "kind": "file",
        "key": component.key,
        "name": component.name,
        "manifest": stored.manifest,
    }
    lock.put("tool", entry)
    assert is_current(cache, Lock(cache.lock_file), component)
    lock.put("tool", {**entry, "key": "another"})
    assert not is_current(cache, Lock(cache.lock_file), component)
    lock.put("tool", entry)
    cache.store.blob_path(stored.blob).unlink()
    assert not is_current(cache, Lock(cache.lock_file), component)


def test_a_broken_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / "bundle.lock").write_text("{")
    with pytest.raises(BundleError, match="not a bundle.lock"):
        Lock(tmp_path / "bundle.lock")


def test_the_real_list_is_whole() -> None:
    found = Components("build")
    used = {source.name for item in found.components.values() for source in item.sources}
    assert used == set(found.sources), "every source is used by a component"
    for name, component in found.components.items():
        assert len(component.key) == 64, name
        says = component.spec.get("says")
        assert says or component.where == "controller" or name.startswith(("app-", "model-")), name
