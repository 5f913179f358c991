# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which back end fills the bundle: the environment, who has filled it, an official site."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest
import yaml

from bundle import backend, components, contents
from bundle.cache import Cache, Lock
from bundle.errors import BundleError
from tests.played_site import BUSY, MISSING, SILENT, Site


def nobody() -> None:
    return None


@pytest.fixture
def official(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(backend, "OFFICIAL", site.put("/stable.txt", b"v1.36.3"))
    return site


def test_the_environment_comes_first(official: Site) -> None:
    decision = backend.decide({"BUNDLE_SOURCE": "build"}, lambda: "fetch")
    assert str(decision) == "build (BUNDLE_SOURCE is set)"
    assert backend.decide({"BUNDLE_SOURCE": "fetch"}, lambda: "build").backend == "fetch"
    assert official.requests == []


def test_then_who_has_filled_it(official: Site) -> None:
    decision = backend.decide({}, lambda: "build")
    assert str(decision) == "build (the bundle's content came from it)"
    assert official.requests == []


@pytest.mark.parametrize("name", backend.BACKENDS)
def test_who_has_filled_it_stays_when_something_is_missing(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    at = {"url": "https://site.example/tool", "checksum": "{url}.sha256"}
    listed = {
        "go": "1.26",
        "sources": {"tool": {"version": "v2", "go": {"module": "bundle/go/runc"}}},
        "components": {
            "tool": {"file": "tool/tool", "fetch": at},
            "other": {"file": "tool/other", "fetch": at},
            "sample": {"file": "tool/sample"},
        },
    }
    monkeypatch.setattr(components, "LIST", tmp_path / "components.yml")
    components.LIST.write_text(yaml.safe_dump(listed))
    lock = Lock(cache.lock_file)
    lock.backend = name
    assert contents.filled_by(lock) is None, "nothing has come of it"
    older = {"kind": "file", "key": "of another version", "manifest": "not in the store"}
    lock.put("sample", {**older, "name": "files/sample:v1"})
    assert contents.filled_by(lock) is None, "this one is built either way"
    lock.put("tool", {**older, "name": "files/tool:v1"})
    assert contents.filled_by(lock) == name
    lock.backend = "download"
    assert contents.filled_by(lock) is None


def test_then_one_request_to_an_official_site(official: Site) -> None:
    decision = backend.decide({}, nobody)
    assert str(decision) == f"fetch ({official.address} answers)"
    assert len(official.requests) == 1


@pytest.mark.parametrize(("kind", "said"), [(MISSING, "answered 404"), (BUSY, "answered 503")])
def test_a_site_that_refuses_is_no_site(official: Site, kind: str, said: str) -> None:
    official.fail("/stable.txt", kind)
    assert str(backend.decide({}, nobody)) == f"build ({official.address} {said})"
    assert len(official.requests) == 1


def test_a_page_to_log_in_is_no_official_site(official: Site) -> None:
    official.put("/stable.txt", b"<html>Please log in")
    assert "answered '<html>Please log in', expected a version" in str(backend.decide({}, nobody))


def test_a_site_that_nobody_answers_for(official: Site) -> None:
    assert "can't be reached" in backend.ask("http://127.0.0.1:1/stable.txt")


def test_a_silent_site_costs_no_more_than_the_limit(official: Site) -> None:
    assert backend.SECONDS == 3
    official.fail("/stable.txt", SILENT)
    began = time.monotonic()
    assert backend.ask(backend.OFFICIAL, 0.3) == "gave no answer within 0.3 s"
    assert time.monotonic() - began < 1


def test_the_limit_holds_for_the_look_up_of_the_name(
    official: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_named: done.wait(5) and [])
    began = time.monotonic()
    assert backend.ask(backend.OFFICIAL, 0.2) == "gave no answer within 0.2 s"
    assert time.monotonic() - began < 1
    done.set()


def test_another_word_is_refused() -> None:
    with pytest.raises(BundleError, match="BUNDLE_SOURCE=download: expected fetch or build"):
        backend.decide({"BUNDLE_SOURCE": "download"}, nobody)
