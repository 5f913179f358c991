# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Official releases: their checksums, and where each component of the list has one."""

from __future__ import annotations

import pytest

from bundle.components import Components, architecture
from bundle.errors import BundleError
from bundle.releases import published_sha256


@pytest.mark.parametrize(
    "text",
    ["{}", "{}\n", "{}  file.tgz\n", f"{'0' * 64}  other.tgz\n{{}} *file.tgz\n", "{}  ./file.tgz"],
)
def test_checksums_as_projects_publish_them(text: str) -> None:
    digest = "ab" * 32
    assert published_sha256(text.format(digest), "file.tgz", "https://x.example/") == digest


@pytest.mark.parametrize("text", ["", "<html>", "ab" * 32 + "  other.tgz", "ab" * 20])
def test_what_is_no_checksum_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match=r"x.example/: expected the sha256 of file.tgz, found"):
        published_sha256(text, "file.tgz", "https://x.example/")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_list_has_releases_for_each_architecture(
    machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    here = architecture()
    found = Components("fetch").components
    for name, item in found.items():
        own = name == "node" or item.name.startswith("roost.internal/digits-")
        assert bool(item.release) != own, f"{name}: the node image and the samples are built"
        if not own and item.kind == "file":
            spec = item.sources[0].spec
            assert here in spec["url"] and item.version.removeprefix("v") in spec["url"]
            assert spec["checksum"].startswith("https://")
    assert found["istio-proxy"].proxy == "official"
    assert Components("build").components["istio-proxy"].proxy == "stock"
