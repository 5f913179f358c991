# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is promised of HTTPS, against servers on 127.0.0.1."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release.certificates import Names
from ansible_collections.roost.cluster.plugins.module_utils.verify import https
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import target

from tests.unit.traffic.fake_app import FakeApp, release
from tests.unit.traffic.fake_tls import data_for, secret_of, server

# Certificates know no parts of a second.
NOW = datetime.now(timezone.utc).replace(microsecond=0)
NOWHERE = "127.0.0.1:1"


def promises(
    expected: https.Wanted, *addresses: str, now: datetime = NOW
) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in https.check(addresses, expected, now)}


def wanted(data: dict[str, bytes], own: bool = True, host: str | None = None) -> https.Wanted:
    return https.wanted(secret_of(data), own, host)


def broken(found: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, item in found.items() if not item["ok"]]


def test_all_is_well() -> None:
    data = data_for(now=NOW)
    with FakeApp(secured=server(data)).running() as app:
        address = f"127.0.0.1:{app.port}"
        found = promises(wanted(data), address, f"localhost:{app.port}")
    assert broken(found) == []
    assert found[https.CERTIFICATE]["found"] == (
        f"istio-system/roost-digits-tls, 365 days left, at {address}, localhost:{app.port}"
    )
    assert found[https.PROTOCOL]["found"] == "TLSv1.3; TLS 1.1 is refused"


def test_another_certificate_is_told_by_its_address() -> None:
    data, other = data_for(), data_for()
    with (
        FakeApp(secured=server(data)).running() as right,
        FakeApp(secured=server(other)).running() as wrong,
    ):
        addresses = [f"127.0.0.1:{app.port}" for app in (right, wrong)]
        found = promises(wanted(data, own=False), *addresses)[https.CERTIFICATE]
    assert not found["ok"]
    assert found["found"].startswith(f"{addresses[1]} shows another one, with the SHA-256 ")


@pytest.mark.parametrize(
    ("names", "host", "ok"),
    [
        (Names(("localhost",)), None, False),
        (Names((), ("127.0.0.1",)), None, True),
        (Names(("digits.example",)), "digits.example", True),
        (Names(("digits.example",)), "letters.example", False),
    ],
)
def test_one_of_our_own_has_to_be_valid_for_the_name(
    names: Names, host: str | None, ok: bool
) -> None:
    data = data_for(names)
    with FakeApp(secured=server(data)).running() as app:
        found = promises(wanted(data, host=host), f"127.0.0.1:{app.port}")[https.CERTIFICATE]
        # Who keeps it oneself has the names that one's own users need.
        assert broken(promises(wanted(data, own=False), f"127.0.0.1:{app.port}")) == []
    assert found["ok"] == ok
    assert ok or "certificate verify failed" in found["found"]


def test_an_old_protocol_is_one_too_many() -> None:
    data = data_for()
    with FakeApp(secured=server(data, old=True)).running() as app:
        found = promises(wanted(data), f"127.0.0.1:{app.port}")
    assert broken(found) == [https.PROTOCOL]
    assert found[https.PROTOCOL]["found"] == "TLSv1.3; TLSv1.1"


def test_where_nothing_listens() -> None:
    found = promises(wanted(data_for()), NOWHERE)
    assert broken(found) == [https.CERTIFICATE, https.PROTOCOL]
    assert f"{NOWHERE} gives no handshake: " in found[https.CERTIFICATE]["found"]


def test_one_that_has_ended_is_told() -> None:
    data = data_for(now=NOW - timedelta(days=400))
    with FakeApp(secured=server(data)).running() as app:
        found = promises(wanted(data, own=False), f"127.0.0.1:{app.port}")[https.CERTIFICATE]
    assert "it is valid from " in found["found"]


@pytest.mark.parametrize(
    ("tls", "name"),
    [(None, None), ({"self_signed": True}, "own"), ({"secret": "shop"}, "shop")],
)
def test_whose_secret_it_is(tls: Any, name: str | None) -> None:
    assert https.secret_of({"tls": tls}, "own") == name
    assert https.secret_of({}, "own") is None


@pytest.mark.parametrize(
    ("hosts", "host"),
    [(None, None), (["*"], None), (["a.example"], "a.example"), (["*.a.example"], "any.a.example")],
)
def test_which_host_is_asked_for(hosts: Any, host: str | None) -> None:
    assert target(release(**({"hosts": hosts} if hosts else {}))).host == host
