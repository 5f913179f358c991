# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images that builds have in Docker: each cache's are its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle import images
from bundle.cache import Cache
from bundle.components import Source

SOURCE = Source("debian", "12", "debootstrap", {})


class Docker:
    """Has names and the labels of what was imported; plays the commands that builds give."""

    def __init__(self) -> None:
        self.labels: dict[str, str] = {}

    def has(self, reference: str) -> bool:
        return reference in self.labels

    def run(self, command: list[str], log: Path) -> None:
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
    first = images.import_base(one, SOURCE, log)
    second = images.import_base(other, SOURCE, log)
    assert first != second
    assert docker.labels[first] != docker.labels[second]
    assert images.import_base(one, SOURCE, log) == first
    images.forget_build_images(one)
    assert list(docker.labels) == [second]


def test_a_cache_has_one_name_on_all_ways_to_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "one")
    found = {images.build_name(Cache(tmp_path / name)) for name in ("one", "link")}
    assert len(found) == 1
