# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What may be raised, to what, and what that changes in the list."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundle import bump, go_module, listing, versions
from bundle.components import LIST
from bundle.errors import BundleError

TEXT = LIST.read_text()
SOURCES: dict[str, Any] = yaml.safe_load(TEXT)["sources"]


@pytest.mark.parametrize(
    ("found", "than", "within", "expected"),
    [
        (["v1.2.3", "v1.10.0", "v1.9.9"], "v1.2.3", "", "v1.10.0"),
        (["v1.3.0-rc.1", "v1.3.0-alpha.0", "v1.3.0+incompatible"], "v1.2.3", "", None),
        (["1.36.2.post1", "1.36.2"], "1.36.1", "", "1.36.2"),
        (["v1.37.0", "v1.36.4"], "v1.36.3", "1.36", "v1.36.4"),
        (["v3.60.0", "v3.6.17"], "3.6.16", "3.6", "3.6.17"),
        (["v1.2.2", "v1.2.3"], "v1.2.3", "", None),
        (["v1.0.0"], "bookworm", "", None),
    ],
)
def test_the_newest_release_is_found(
    found: list[str], than: str, within: str, expected: str | None
) -> None:
    assert versions.newest(found, than, within) == expected


def changed(new: str) -> list[str]:
    lines = difflib.unified_diff(TEXT.splitlines(), new.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]


def test_a_source_is_raised_with_all_that_its_components_say() -> None:
    old = SOURCES["kubernetes"]["version"]
    new = listing.raised(TEXT, "kubernetes", old, "v1.99.7")
    data = yaml.safe_load(new)
    assert data["sources"]["kubernetes"]["version"] == "v1.99.7"
    assert "gitMinor=99" in data["sources"]["kubernetes"]["go"]["ldflags"]
    components = data["components"]
    assert components["kubeadm"]["says"]["contains"] == "v1.99.7"
    assert components["kube-proxy"]["image"] == "registry.k8s.io/kube-proxy:v1.99.7"
    assert old.removeprefix("v") not in new
    assert all("1.99.7" in line or "gitMinor=99" in line for line in changed(new) if line[0] == "+")


def test_a_number_that_another_source_has_too_stays() -> None:
    text = TEXT.replace(SOURCES["runc"]["version"], SOURCES["containerd"]["version"])
    new = listing.raised(text, "runc", SOURCES["containerd"]["version"], "v9.8.7")
    data = yaml.safe_load(new)
    assert data["sources"]["containerd"] == SOURCES["containerd"]
    assert data["components"]["ctr"]["says"]["contains"] == SOURCES["containerd"]["version"]
    assert data["sources"]["runc"]["version"] == "v9.8.7"


def test_every_other_line_of_the_list_stays_as_it_was() -> None:
    looked_for = {name: spec for name, spec in SOURCES.items() if {"go", "wheel"} & set(spec)}
    assert len(looked_for) > 5
    for name, spec in looked_for.items():
        assert listing.raised(TEXT, name, spec["version"], spec["version"]) == TEXT


def test_a_hash_is_changed_where_it_stands() -> None:
    known = SOURCES["envoy"]["wheel"]["sha256"]
    new = listing.with_hash(TEXT, "envoy", ("amd64", known["amd64"], "f" * 64))
    expected = {**known, "amd64": "f" * 64}
    assert yaml.safe_load(new)["sources"]["envoy"]["wheel"]["sha256"] == expected
    with pytest.raises(BundleError, match="expected `amd64: 00` once"):
        listing.with_hash(TEXT, "envoy", ("amd64", "00", "11"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [("flannel", "held: "), ("node-root", "has no releases of its own")],
)
def test_what_is_held_or_has_no_releases_is_not_looked_for(
    name: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    finding = bump.look(name, SOURCES[name])
    assert finding.target is None
    assert finding.reason.startswith(reason)


def test_what_lies_beyond_the_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bump, "_releases", lambda _spec: ["v1.36.9", "v1.37.2", "v1.38.0-rc.0"])
    finding = bump.look("kubernetes", SOURCES["kubernetes"])
    assert finding.target == "v1.36.9"
    assert finding.reason == "there is v1.37.2; the list stays within 1.36"


def test_a_raise_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = tmp_path / "components.yml"
    listed.write_text(TEXT)
    folder = tmp_path / "bundle" / "go" / "runc"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module x\n")
    (folder / "go.sum").write_text("")
    monkeypatch.setattr(bump, "LIST", listed)
    monkeypatch.setattr(bump, "REPOSITORY", tmp_path)

    def fails(where: Path, _version: str) -> None:
        (where / "go.mod").write_text("half")
        raise BundleError("no network")

    monkeypatch.setattr(go_module, "raise_mains", fails)
    finding = bump.Finding("runc", SOURCES["runc"]["version"], "v9.0.0")
    with pytest.raises(BundleError, match="no network"):
        bump.raise_version(finding, SOURCES["runc"])
    assert (folder / "go.mod").read_text() == "module x\n"
    assert listed.read_text() == TEXT


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(BundleError, match="rnc: no such source; known are kubernetes, "):
        bump.bump(["rnc"], check=True)


def test_the_modules_of_the_commands_are_found() -> None:
    folder = LIST.parent / "go"
    assert go_module.mains(folder / "kubernetes") == {
        "k8s.io/kubernetes": SOURCES["kubernetes"]["version"]
    }
    assert set(go_module.mains(folder / "etcd")) == {
        f"go.etcd.io/etcd/{name}/v3" for name in ("server", "etcdctl", "etcdutl")
    }


def test_staging_modules_follow_kubernetes() -> None:
    folder = LIST.parent / "go" / "kubernetes"
    old = SOURCES["kubernetes"]["version"]
    edits = go_module._staged(folder, old, "v1.99.7")
    assert len(edits) > 20
    assert {edit.rpartition("@")[2] for edit in edits} == {"v0.99.7"}
    assert "-replace=k8s.io/api=k8s.io/api@v0.99.7" in edits
