# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gateway's certificate: made here, or read out of a secret.

What makes and reads them is imported in functions, because modules have to be importable without.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block

if TYPE_CHECKING:
    from cryptography import x509

# Browsers take no longer ones.
DAYS = 365
# One of our own is made anew by a run when no more days than these are left.
DAYS_LEFT = 30
# For users whose clocks are behind.
_EARLIER = timedelta(hours=1)
SECRET_TYPE = "kubernetes.io/tls"
_CERTIFICATE, _KEY = "tls.crt", "tls.key"


class Unfit(ValueError):
    """What a secret lacks to be a server's certificate; the text ends `it …`."""


@dataclass(frozen=True)
class Names:
    """What a certificate is for: names, the first label of which may be `*`, and addresses."""

    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def lack(self, wanted: Names) -> list[str]:
        """Those of the wanted ones that a client would not accept."""
        missing = [host for host in wanted.hosts if not self._covers(host)]
        return missing + [each for each in wanted.addresses if each not in self.addresses]

    def _covers(self, host: str) -> bool:
        # A star stands for one label.
        return host in self.hosts or f"*.{host.partition('.')[2]}" in self.hosts

    def __str__(self) -> str:
        return ", ".join([*self.hosts, *self.addresses])


@dataclass(frozen=True)
class Certificate:
    # In hexadecimal, as proxies tell it.
    serial: str
    # SHA-256 of the whole, in hexadecimal.
    fingerprint: str
    begins: datetime
    ends: datetime
    names: Names

    def days_left(self, now: datetime) -> int:
        return (self.ends - now).days


def new_serial() -> str:
    from cryptography import x509

    return f"{x509.random_serial_number():x}"


def make(subject: str, names: Names, serial: str, now: datetime) -> dict[str, bytes]:
    """A key and a certificate that it has signed itself, as the data of a secret.

    It is no authority: whoever trusts it trusts these names and nothing else.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    alternatives = [x509.DNSName(host) for host in names.hosts]
    addresses = [x509.IPAddress(ipaddress.ip_address(each)) for each in names.addresses]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int(serial, 16))
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([*alternatives, *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    pem = serialization.Encoding.PEM
    return {
        _CERTIFICATE: builder.sign(key, hashes.SHA256()).public_bytes(pem),
        _KEY: key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    }


def secret(name: str, namespace: str, labels: dict[str, str], data: dict[str, bytes]) -> Block:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": SECRET_TYPE,
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }


def read(item: Block) -> Certificate:
    """The certificate of a secret, if its key belongs to it; else Unfit. Says nothing of dates."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    if item.get("type") != SECRET_TYPE:
        raise Unfit(f"it is of the type {item.get('type', 'Opaque')}")
    # Those that follow are of who has signed it.
    try:
        found = x509.load_pem_x509_certificates(_decoded(item, _CERTIFICATE))[0]
    except ValueError as error:
        raise Unfit(f"it has no certificate in PEM form under {_CERTIFICATE}") from error
    try:
        key = serialization.load_pem_private_key(_decoded(item, _KEY), None)
    except (ValueError, TypeError) as error:
        # Not the error's own words: nobody knows what they quote.
        raise Unfit(f"it has no key in PEM form, without a password, under {_KEY}") from error
    if key.public_key() != found.public_key():
        raise Unfit(f"its {_KEY} isn't the key of its {_CERTIFICATE}")
    return Certificate(
        serial=f"{found.serial_number:x}",
        fingerprint=found.fingerprint(hashes.SHA256()).hex(),
        begins=found.not_valid_before_utc,
        ends=found.not_valid_after_utc,
        names=_names(found.extensions),
    )


def _names(extensions: x509.Extensions) -> Names:
    from cryptography import x509

    try:
        found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Names()
    hosts = found.get_values_for_type(x509.DNSName)
    addresses = found.get_values_for_type(x509.IPAddress)
    return Names(tuple(hosts), tuple(map(str, addresses)))


def _decoded(item: Block, key: str) -> bytes:
    try:
        return base64.b64decode((item.get("data") or {}).get(key) or "", validate=True)
    except binascii.Error as error:
        raise ValueError(f"{key} is not base64") from error
