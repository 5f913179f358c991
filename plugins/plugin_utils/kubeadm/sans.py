# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The names and addresses that the API server's certificate is good for. On the controller."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any


def certificate_names(certificate: str, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How the names in a PEM certificate differ from those that kubeadm would put there."""
    found, expected = _names_in(certificate), _expected(documents)
    if found == expected:
        return []
    new, gone = sorted(expected - found), sorted(found - expected)
    parts = [
        f"{word} {', '.join(names)}"
        for word, names in (("lacks", new), ("also has", gone))
        if names
    ]
    return [
        {
            "what": "/etc/kubernetes/pki/apiserver.crt",
            "why": f"it {' and '.join(parts)}; it is made anew",
            "before": sorted(found),
            "after": sorted(expected),
        }
    ]


def _names_in(certificate: str) -> set[str]:
    """None, where there is no certificate."""
    from cryptography import x509

    if not certificate:
        return set()
    loaded = x509.load_pem_x509_certificate(certificate.encode())
    try:
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {
        *map(_plain, names.get_values_for_type(x509.DNSName)),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    }


def _expected(documents: list[dict[str, Any]]) -> set[str]:
    """As kubeadm: what is described, the node, the endpoint, and the API's own Service."""
    kinds: Mapping[str, Any] = {document["kind"]: document for document in documents}
    init, cluster = kinds["InitConfiguration"], kinds["ClusterConfiguration"]
    domain, subnet = (cluster["networking"][key] for key in ("dnsDomain", "serviceSubnet"))
    service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    first = ipaddress.ip_network(subnet.split(",")[0], strict=False)[1]
    endpoint = (
        str(cluster["controlPlaneEndpoint"]).rpartition(":")[0] or cluster["controlPlaneEndpoint"]
    )
    names = (
        *(cluster["apiServer"].get("certSANs") or []),
        *service,
        f"kubernetes.default.svc.{domain}",
        first,
        endpoint,
        init["nodeRegistration"]["name"],
        init["localAPIEndpoint"]["advertiseAddress"],
    )
    return {_plain(str(name)) for name in names}


def _plain(name: str) -> str:
    """A name or address as kubeadm writes it, whichever way it is given."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()
