# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change
from ansible_collections.roost.cluster.plugins.module_utils.release import certificates
from ansible_collections.roost.cluster.plugins.module_utils.release.certificates import Names, Unfit
from ansible_collections.roost.cluster.plugins.module_utils.release.gateway_certificate import (
    wanted_names,
)
from release_samples import release
from release_secrets import LOCAL, NOW, node, secret, spoiled


def test_a_certificate_is_read_as_it_was_made() -> None:
    wanted = Names(("localhost", "*.a.example"), ("127.0.0.1", "fd00::1"))
    serial = certificates.new_serial()
    data = certificates.make("digits", wanted, serial, NOW)
    found = certificates.read(certificates.secret("a", "b", {}, data))
    assert (found.serial, found.names) == (serial, wanted)
    assert found.begins < NOW
    assert found.days_left(NOW) == 365
    assert len(found.fingerprint) == 64


def test_it_is_no_authority() -> None:
    from cryptography import x509

    data = certificates.make("digits", LOCAL, "1", NOW)
    found = x509.load_pem_x509_certificate(data["tls.crt"])
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ({**secret(), "type": "Opaque"}, "it is of the type Opaque"),
        (spoiled("tls.crt", b""), "no certificate in PEM form under tls.crt"),
        (spoiled("tls.crt", b"-----BEGIN CERTIFICATE-----\nx\n"), "no certificate in PEM form"),
        (spoiled("tls.key", b"secret words"), "no key in PEM form, without a password"),
        (
            spoiled("tls.key", certificates.make("b", LOCAL, "2", NOW)["tls.key"]),
            "its tls.key isn't the key of its tls.crt",
        ),
        ({**secret(), "data": {}}, "no certificate in PEM form"),
        ({**secret(), "data": {"tls.crt": "%"}}, "no certificate in PEM form"),
    ],
)
def test_secrets_that_no_gateway_could_use(item: dict[str, Any], why: str) -> None:
    with pytest.raises(Unfit, match=why) as refused:
        certificates.read(item)
    assert "secret words" not in str(refused.value)


@pytest.mark.parametrize(
    ("has", "wanted", "lacking"),
    [
        (Names(("a.example",)), Names(("a.example",)), []),
        (Names(("*.example",)), Names(("a.example", "*.example")), []),
        (Names(("*.example",)), Names(("example", "a.b.example")), ["example", "a.b.example"]),
        (Names((), ("10.0.0.1",)), Names((), ("10.0.0.1", "10.0.0.2")), ["10.0.0.2"]),
    ],
)
def test_names_that_a_certificate_is_not_for(has: Names, wanted: Names, lacking: Any) -> None:
    assert has.lack(wanted) == lacking


def test_it_is_for_this_machine_the_hosts_and_every_node() -> None:
    nodes = [node("192.168.56.101"), node("192.168.56.100", "fd00::100"), node("9.0.0.1")]
    found = wanted_names(release(hosts=["a.example", "*", "localhost"]), nodes)
    assert found.hosts == ("localhost", "a.example")
    assert found.addresses == (
        "127.0.0.1", "9.0.0.1", "192.168.56.100", "192.168.56.101", "fd00::100",
    )  # fmt: skip


def test_a_diff_of_a_secret_has_nothing_of_its_data() -> None:
    item = secret()
    shown = str(Change("Secret", "gone", item, item).diff())
    assert "name: shop" in shown
    assert "tls.crt" not in shown
    assert item["data"]["tls.key"] not in shown
