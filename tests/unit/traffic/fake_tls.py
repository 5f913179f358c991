# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates as a release has them, and servers that show them."""

from __future__ import annotations

import ssl
import tempfile
import warnings
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release import certificates
from ansible_collections.roost.cluster.plugins.module_utils.release.certificates import Names

HERE = Names(("localhost", "digits.example"), ("127.0.0.1",))


def data_for(names: Names = HERE, now: datetime | None = None) -> dict[str, bytes]:
    serial = certificates.new_serial()
    return certificates.make("digits", names, serial, now or datetime.now(timezone.utc))


def secret_of(data: dict[str, bytes]) -> dict[str, Any]:
    return certificates.secret("roost-digits-tls", "istio-system", {}, data)


def server(data: dict[str, bytes], old: bool = False) -> ssl.SSLContext:
    """One that shows the certificate; an old one also speaks TLS 1.0 and 1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
    with tempfile.TemporaryDirectory() as folder:
        for name, content in data.items():
            Path(folder, name).write_bytes(content)
        context.load_cert_chain(Path(folder, "tls.crt"), Path(folder, "tls.key"))
    return context
