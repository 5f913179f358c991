# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whoever steers a release that answers over HTTPS keeps that, with the same certificate."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.e2e.conftest import SETTINGS, kubectl
from tests.rollout.conftest import VERSION_HEADER, as_the_file_says, file, playbook, weights

ADDRESS = f"https://127.0.0.1:{SETTINGS['ROOST_HTTPS_PORT']}/healthz"
REQUESTS = 40


@pytest.fixture
def secured(release: None) -> Iterator[dict[str, Any]]:
    """The release as it is shipped, with HTTPS; in the end without."""
    block = file(tls={"self_signed": True}, override={"header": "x-release"})
    try:
        assert playbook("release", release=block).code == 0
        yield block
    finally:
        as_the_file_says()


def versions(**headers: str) -> Counter[str]:
    """Who answers over HTTPS."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    found: Counter[str] = Counter()
    for _ in range(REQUESTS):
        with urlopen(Request(ADDRESS, headers=headers), timeout=10, context=context) as answer:
            found[answer.headers[VERSION_HEADER]] += 1
    return found


def asking_for(wanted: str) -> Counter[str]:
    return versions(**{"x-release": wanted})


def certificate() -> str:
    found = kubectl("get", "secret", f"roost-{file()['name']}-tls", "--namespace=istio-system")
    return str(found["metadata"]["resourceVersion"])


def test_a_rollback_keeps_it(secured: dict[str, Any]) -> None:
    before = certificate()
    assert asking_for("v2") == {"v2": REQUESTS}
    assert playbook("shift", release=secured, weight=100).code == 0
    assert versions() == {"v2": REQUESTS}
    assert playbook("rollback", release=secured).code == 0
    assert weights() == {"v1": 100}
    assert versions() == asking_for("v2") == {"v1": REQUESTS}
    assert certificate() == before


def test_a_promotion_keeps_it(secured: dict[str, Any]) -> None:
    before = certificate()
    assert playbook("promote", release=secured).code == 0
    assert versions() == asking_for("v1") == {"v2": REQUESTS}
    assert certificate() == before
