# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images that builds have in Docker: each cache's are its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle import images
from bundle.cache import Cache
from bundle.components import Source
from bundle.errors import BundleError

SOURCE = Source("debian", "12", "debian", {"layers": {"base": [], "more": []}})


class Docker:
    """Has names and the labels of what was imported; plays the commands that builds give."""

    def __init__(self) -> None:
        self.labels: dict[str, str] = {}
        self.built: list[str] = []

    def has(self, reference: str) -> bool:
        return reference in self.labels

    def run(self, command: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        if command[1] == "build":
            context = Path(command[-1])
            self.built.append((context / "Dockerfile").read_text())
            below = self.built[-1].split()[1]
            self.labels[command[command.index("--tag") + 1]] = self.labels[below]
            return
        assert command[1] == "import"
        changes = [word for word in command if word.startswith("LABEL ")]
        self.labels[command[-1]] = changes[0].removeprefix("LABEL ")

    def __call__(self, *arguments: str) -> str:
        if arguments[:2] == ("image", "prune"):
            label = arguments[-1].removeprefix("label=")
            assert label in (*self.labels.values(), "none is left")
            return ""
        if arguments[:2] == ("image", "ls"):
            folder = arguments[-1].removesuffix("*")
            return "\n".join(name for name in self.labels if name.startswith(folder))
        assert arguments[:3] == ("image", "rm", "--force")
        del self.labels[arguments[-1]]
        return ""


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Docker:
    played = Docker()
    monkeypatch.setattr(images, "docker", played)
    monkeypatch.setattr(images, "docker_has", played.has)
    monkeypatch.setattr(images, "run", played.run)
    monkeypatch.setattr(images, "need", lambda name: name)
    return played


def test_builds_of_two_caches_leave_each_others_images_alone(
    tmp_path: Path, docker: Docker
) -> None:
    one, other = Cache(tmp_path / "one"), Cache(tmp_path / "other")
    log = tmp_path / "log"
    first = images.import_base(one, SOURCE, "base", log)
    second = images.import_base(other, SOURCE, "base", log)
    assert first != second
    assert docker.labels[first] != docker.labels[second]
    assert images.import_base(one, SOURCE, "base", log) == first
    images.forget_build_images(one)
    assert list(docker.labels) == [second]


def test_a_layer_is_added_to_what_is_below_it(tmp_path: Path, docker: Docker) -> None:
    cache = Cache(tmp_path)
    folder = cache.source_folder(SOURCE.name, SOURCE.key)
    folder.mkdir(parents=True)
    (folder / "more.tar").write_text("a layer")
    base = images.import_base(cache, SOURCE, "base", tmp_path / "log")
    assert docker.built == []
    more = images.import_base(cache, SOURCE, "more", tmp_path / "log")
    assert docker.built == [f"FROM {base}\nADD more.tar /\n"]
    assert docker.labels[more] == docker.labels[base]
    images.forget_build_images(cache)
    assert docker.labels == {}


def test_an_unknown_layer_is_named(tmp_path: Path, docker: Docker) -> None:
    with pytest.raises(BundleError, match="debian has no layer 'mor'"):
        images.import_base(Cache(tmp_path), SOURCE, "mor", tmp_path / "log")


def test_a_cache_has_one_name_on_all_ways_to_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "one")
    found = {images.build_name(Cache(tmp_path / name)) for name in ("one", "link")}
    assert len(found) == 1
