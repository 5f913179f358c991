# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Layers of root file systems: each holds what it adds, and nothing of what is below."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from bundle.debian import proxies, write_layer
from bundle.errors import BundleError

File = tuple[str, int, float]  # content, mode, time
SHELL: File = ("shell", 0o755, 1.0)
STATUS: File = ("one package", 0o644, 1.0)


def root(path: Path, files: dict[str, File], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w") as archive:
        folder = tarfile.TarInfo("./usr")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for name, target in (links or {}).items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        for name, (content, mode, time) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), mode, time
            archive.addfile(member, io.BytesIO(content.encode()))
    return path


def held(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        found = {}
        for member in archive:
            reader = archive.extractfile(member) if member.isreg() else None
            found[member.name] = reader.read().decode() if reader else ""
        return found


def above(tmp_path: Path, files: dict[str, File], links: dict[str, str]) -> dict[str, str]:
    """What the second layer has in it, upon one with a shell and a link to its folder."""
    lower = root(tmp_path / "lower.tar", {"./usr/sh": SHELL, "./status": STATUS}, {"./bin": "usr"})
    found = write_layer(lower, {}, tmp_path / "base.tar")
    assert held(tmp_path / "base.tar") == held(lower)
    write_layer(root(tmp_path / "upper.tar", files, links), found, tmp_path / "python.tar")
    return held(tmp_path / "python.tar")


def test_what_is_below_is_left_out_though_its_time_differs(tmp_path: Path) -> None:
    files = {"./usr/sh": ("shell", 0o755, 2.0), "./status": STATUS, "./usr/python": SHELL}
    assert above(tmp_path, files, {"./bin": "usr"}) == {"./usr": "", "./usr/python": "shell"}


@pytest.mark.parametrize("changed", [("another", 0o644, 1.0), ("one package", 0o600, 1.0)])
def test_what_has_changed_is_in_it(tmp_path: Path, changed: File) -> None:
    files = {"./usr/sh": SHELL, "./status": changed}
    assert above(tmp_path, files, {"./bin": "usr"}) == {"./status": changed[0]}


def test_a_link_that_leads_elsewhere_too(tmp_path: Path) -> None:
    files = {"./usr/sh": SHELL, "./status": STATUS}
    assert above(tmp_path, files, {"./bin": "opt"}) == {"./bin": ""}


def test_what_a_layer_would_take_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"python: its packages take ./usr/sh away"):
        above(tmp_path, {"./status": STATUS}, {"./bin": "usr"})


def test_the_proxy_of_this_machines_apt_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "apt.conf"
    settings.write_text(
        'Acquire::http::Proxy "http://proxy.lab:3128/";\nAcquire::https::Proxy "DIRECT";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(settings))
    monkeypatch.delenv("http_proxy", raising=False)
    assert proxies() == {"http_proxy": "http://proxy.lab:3128/"}
    monkeypatch.setenv("http_proxy", "http://other.lab:3128/")
    assert proxies() == {}
