# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the gateway answers over HTTPS with, seen as a client sees it."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.api.parallel import in_parallel
from ansible_collections.roost.cluster.plugins.module_utils.release import certificates
from ansible_collections.roost.cluster.plugins.module_utils.release.certificates import Certificate
from ansible_collections.roost.cluster.plugins.module_utils.verify.promise import (
    from_problems,
    promise,
)

_TIMEOUT = 5.0
CERTIFICATE, PROTOCOL = "https certificate", "https protocol"


@dataclass(frozen=True)
class Wanted:
    """The certificate that is expected, and how to ask for it."""

    # NAMESPACE/NAME of its secret.
    secret: str
    certificate: Certificate
    # In PEM form, where clients are told to trust it by itself.
    trusted: str | None
    # The host name to ask for; None: the address that is asked.
    host: str | None


@dataclass(frozen=True)
class Shown:
    """How a handshake with HOST:PORT ended."""

    address: str
    # SHA-256 of the certificate, in hexadecimal.
    fingerprint: str = ""
    protocol: str = ""
    # Why there was no handshake.
    failure: str = ""


def wanted(item: Block, own: bool, host: str | None) -> Wanted:
    """From the secret that the gateway has; Unfit if that has no certificate."""
    meta = item["metadata"]
    pem = base64.b64decode(item["data"]["tls.crt"]).decode() if own else None
    name = f"{meta['namespace']}/{meta['name']}"
    return Wanted(name, certificates.read(item), pem, host)


def shake(address: str, expected: Wanted, context: ssl.SSLContext | None = None) -> Shown:
    """One handshake; the client trusts nothing but the certificate, or is told not to care."""
    host, _colon, port = address.rpartition(":")
    context = context or _client(expected)
    try:
        with (
            socket.create_connection((host, int(port)), timeout=_TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=expected.host or host) as secure,
        ):
            shown = secure.getpeercert(binary_form=True) or b""
            return Shown(address, hashlib.sha256(shown).hexdigest(), secure.version() or "")
    except OSError as error:
        return Shown(address, failure=str(error) or type(error).__name__)


def _client(expected: Wanted) -> ssl.SSLContext:
    if expected.trusted:
        return ssl.create_default_context(cadata=expected.trusted)
    return _careless()


def _careless() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def old_client() -> ssl.SSLContext:
    """One that speaks nothing newer than TLS 1.1."""
    context = _careless()
    # Without this OpenSSL itself would refuse, and nothing be seen of the server.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def check(addresses: Sequence[str], expected: Wanted, now: datetime) -> list[dict[str, Any]]:
    """The promises: the certificate at every address, and no old protocol."""
    shown = list(in_parallel(lambda address: shake(address, expected), addresses))
    old = [shake(address, expected, old_client()) for address in addresses[:1]]
    return [_certificate(shown, expected, now), *(_protocol(each, shown[0]) for each in old)]


def _certificate(shown: Sequence[Shown], expected: Wanted, now: datetime) -> dict[str, Any]:
    certificate = expected.certificate
    problems = [f"{each.address} {_wrong(each)}" for each in shown if _is_wrong(each, certificate)]
    if not certificate.begins <= now < certificate.ends:
        problems.append(f"it is valid from {certificate.begins} to {certificate.ends}")
    left = certificate.days_left(now)
    return from_problems(
        CERTIFICATE,
        f"the certificate of the secret {expected.secret} at every address",
        f"{expected.secret}, {left} days left, at {', '.join(each.address for each in shown)}",
        problems,
        "run playbooks/release.yml, which renews one that Roost has made, and waits until every "
        "gateway has it",
    )


def _is_wrong(shown: Shown, certificate: Certificate) -> bool:
    return bool(shown.failure) or shown.fingerprint != certificate.fingerprint


def _wrong(shown: Shown) -> str:
    if shown.failure:
        return f"gives no handshake: {shown.failure}"
    return f"shows another one, with the SHA-256 {shown.fingerprint}"


def _protocol(old: Shown, new: Shown) -> dict[str, Any]:
    return promise(
        PROTOCOL,
        bool(old.failure) and not new.failure,
        "TLS 1.2 or newer alone",
        f"{new.protocol or 'no handshake'}; {old.protocol or 'TLS 1.1 is refused'}",
        "look at minProtocolVersion of the Gateway, and at EnvoyFilters beside the gateway",
    )


def line(addresses: Sequence[str], expected: Wanted, now: datetime) -> str:
    """Where, and until when."""
    certificate = expected.certificate
    return (
        f"https://{addresses[0]}/ with the certificate of {expected.secret}, valid until "
        f"{certificate.ends:%Y-%m-%d} ({certificate.days_left(now)} days)"
    )


def secret_of(release: Mapping[str, Any], own: str) -> str | None:
    """The secret that a release names, or its own; None without HTTPS."""
    tls = release.get("tls")
    return str(tls.get("secret") or own) if tls else None
