# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Downloads, from a server with every trouble that servers have."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bundle import download
from bundle.errors import BundleError
from tests.played_site import BUSY, CORRUPT, DIES, MISSING, SILENT, SLOW, TRUNCATED, Site

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "partial"


def fetch(site: Site, target: Path) -> None:
    download.download(site.put("/file", CONTENT), target, SHA256, lambda _told: None)


def test_a_good_file(site: Site, target: Path) -> None:
    told: list[str] = []
    download.download(site.put("/file", CONTENT), target, SHA256, told.append)
    assert target.read_bytes() == CONTENT
    assert told[-1] == "1.0 MB"


def test_a_slow_server_is_waited_for_while_something_comes(site: Site, target: Path) -> None:
    site.fail("/file", SLOW)
    fetch(site, target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("kind", [CORRUPT, TRUNCATED])
def test_what_is_not_what_was_published_is_refused(site: Site, target: Path, kind: str) -> None:
    site.fail("/file", kind)
    with pytest.raises(BundleError, match=rf"/file: corrupt: expected sha256 {SHA256}, found"):
        fetch(site, target)
    assert not target.exists()
    assert len(site.requests) == 1


def test_a_missing_file_is_not_asked_for_again(site: Site, target: Path) -> None:
    site.fail("/file", MISSING)
    with pytest.raises(BundleError, match=r"/file: answered 404 Not Found, expected the release"):
        fetch(site, target)
    assert len(site.requests) == 1
    assert not target.exists()


def test_a_connection_that_dies_is_gone_on_with(site: Site, target: Path) -> None:
    site.fail("/file", DIES, times=2)
    fetch(site, target)
    assert target.read_bytes() == CONTENT
    half, quarter = len(CONTENT) // 2, len(CONTENT) // 4
    assert site.asked("/file") == ["", f"bytes={half}-", f"bytes={half + quarter}-"]


def test_a_server_without_ranges_sends_it_from_the_start(site: Site, target: Path) -> None:
    site.ranges = False
    site.fail("/file", DIES, times=1)
    fetch(site, target)
    assert target.read_bytes() == CONTENT


def test_a_connection_that_always_dies_leaves_a_beginning(site: Site, target: Path) -> None:
    site.fail("/file", DIES)
    with pytest.raises(BundleError, match=r"broke off: found \d+ bytes, expected \d+, 4 times"):
        fetch(site, target)
    assert CONTENT.startswith(target.read_bytes())
    site.faults.clear()
    fetch(site, target)
    assert target.read_bytes() == CONTENT
    assert site.asked("/file")[-1] != ""


def test_a_beginning_of_something_else_is_thrown_away(site: Site, target: Path) -> None:
    target.write_bytes(b"x" * 1000)
    fetch(site, target)
    assert target.read_bytes() == CONTENT
    assert site.asked("/file") == ["bytes=1000-", ""]


def test_a_download_that_only_lacked_its_check_is_not_repeated(site: Site, target: Path) -> None:
    target.write_bytes(CONTENT)
    fetch(site, target)
    assert site.asked("/file") == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize(
    ("kind", "said"), [(SILENT, "nothing came for 0.3 s, 4 times"), (BUSY, "answered 503")]
)
def test_a_server_in_trouble_is_asked_a_few_times(
    site: Site, target: Path, kind: str, said: str
) -> None:
    site.fail("/file", kind)
    with pytest.raises(BundleError, match=said):
        fetch(site, target)
    assert len(site.requests) == download.TRIES
    site.fail("/file", kind, times=1)
    fetch(site, target)
    assert target.read_bytes() == CONTENT


def test_nobody_there(site: Site, target: Path) -> None:
    with pytest.raises(BundleError, match="the connection failed .*Connection refused"):
        download.download("http://127.0.0.1:1/file", target, SHA256, lambda _told: None)


def test_a_checksum_is_small(site: Site) -> None:
    assert download.text(site.put("/file.sha256", b"abc")) == "abc"
    with pytest.raises(BundleError, match="expected a small text file"):
        download.text(site.put("/file.sha256", b"x" * (2 << 20)))
