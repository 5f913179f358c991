# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which certificate the gateway has to have, and whether one has to be made for it first."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, object_key
from ansible_collections.roost.cluster.plugins.module_utils.release import certificates, names
from ansible_collections.roost.cluster.plugins.module_utils.release.certificates import (
    Certificate,
    Names,
    Unfit,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from ansible_collections.roost.cluster.plugins.module_utils.release.problems import Problem

_HERE = Names(("localhost",), ("127.0.0.1",))


@dataclass(frozen=True)
class Order:
    """A certificate that has to be made. Its key is made with it, where it is put in its place."""

    secret: str
    namespace: str
    names: Names
    serial: str
    reason: str
    # What is there now, without its data.
    before: Block | None = None

    @property
    def change(self) -> Change:
        place = {"name": self.secret, "namespace": self.namespace}
        after = {"apiVersion": "v1", "kind": "Secret", "metadata": place}
        return Change(object_key(after), self.reason, self.before, after)

    def as_dict(self) -> dict[str, Any]:
        return {
            "secret": self.secret,
            "namespace": self.namespace,
            "hosts": list(self.names.hosts),
            "addresses": list(self.names.addresses),
            "serial": self.serial,
            "why": self.reason,
        }


@dataclass(frozen=True)
class Found:
    # Of the certificate that gateways have to have; None if that isn't known, or there is none.
    serial: str | None = None
    order: Order | None = None
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def look(client: Client, release: Release, context: Context, now: datetime) -> Found:
    """Changes nothing. A secret of somebody else's has to be fit as it is."""
    if release.tls is None or release.secret is None:
        return Found()
    place = {"name": release.secret, "namespace": context.gateway_namespace}
    item = client.get({"apiVersion": "v1", "kind": "Secret", "metadata": place})
    if release.tls.secret is None:
        return _own(client, release, context, item, now)
    if item is None and _is_early(client, context):
        return Found(notes=[f"whether there is a secret {place['name']} is seen with the mesh"])
    return _given(release, place["name"], context, item, now)


def told(client: Client, release: Release, context: Context, now: datetime) -> str | None:
    """What the gateway answers over HTTPS with, in words; None: it doesn't."""
    if release.secret is None:
        return None
    place = {"name": release.secret, "namespace": context.gateway_namespace}
    item = client.get({"apiVersion": "v1", "kind": "Secret", "metadata": place})
    where = f"the secret {context.gateway_namespace}/{release.secret}"
    if item is None:
        return f"not answered: {where} is gone; run playbooks/release.yml"
    try:
        found = certificates.read(item)
    except Unfit as error:
        return f"not answered: {where} is no certificate, for {error}"
    left = found.days_left(now)
    soon = "; run playbooks/release.yml" if left <= certificates.DAYS_LEFT else ""
    return f"the certificate of {where} is valid until {found.ends:%Y-%m-%d} ({left} days){soon}"


def _is_early(client: Client, context: Context) -> bool:
    """Whether a secret could not be there, because its namespace isn't yet."""
    place = {"name": context.gateway_namespace}
    return client.get({"apiVersion": "v1", "kind": "Namespace", "metadata": place}) is None


def _own(
    client: Client, release: Release, context: Context, item: Block | None, now: datetime
) -> Found:
    name = names.certificate_name(release.name)
    if item is not None and not _is_of(item, release):
        problem = Problem(
            "tls.self_signed",
            True,
            f"that the name {name} is free in {context.gateway_namespace}",
            f"there is a secret that {release.name} has not made; delete it, or name it under "
            "tls.secret",
        )
        return Found(problems=[problem])
    wanted = wanted_names(release, client.list("Node"))
    serial, reason = None, f"new, self-signed for {wanted}"
    if item is not None:
        serial, reason = _present(item, wanted, now)
        if not reason:
            return Found(serial)
    serial = certificates.new_serial()
    before = item and {key: item[key] for key in ("apiVersion", "kind", "metadata") if key in item}
    order = Order(name, context.gateway_namespace, wanted, serial, reason, before)
    return Found(serial, order)


def _present(item: Block, wanted: Names, now: datetime) -> tuple[str | None, str]:
    """The serial number of the one that is there, and why it won't do, if it doesn't."""
    try:
        present = certificates.read(item)
    except Unfit as error:
        return None, f"made anew, for {error}"
    lacking = present.names.lack(wanted)
    if lacking:
        return None, f"made anew, for it isn't valid for {', '.join(lacking)}"
    if present.days_left(now) <= certificates.DAYS_LEFT:
        return None, f"made anew, for it ends on {present.ends:%Y-%m-%d}"
    return present.serial, ""


def wanted_names(release: Release, nodes: Iterable[Block]) -> Names:
    """This machine, where the edge is, the hosts that the release names, and every node."""
    hosts = [host for host in release.hosts if host != "*" and host not in _HERE.hosts]
    addresses = {
        ipaddress.ip_address(each["address"])
        for node in nodes
        for each in (node.get("status") or {}).get("addresses") or []
        if each["type"] in ("InternalIP", "ExternalIP")
    }
    ordered = sorted(addresses, key=lambda each: (each.version, int(each)))
    return Names((*_HERE.hosts, *hosts), (*_HERE.addresses, *map(str, ordered)))


def _given(
    release: Release, name: str, context: Context, item: Block | None, now: datetime
) -> Found:
    expected = f"a secret of the type {certificates.SECRET_TYPE} in {context.gateway_namespace}"

    def refuse(hint: str, better: str = expected) -> Found:
        return Found(problems=[Problem("tls.secret", name, better, hint)])

    if item is None:
        return refuse(
            f"there is none; kubectl --namespace {context.gateway_namespace} create secret tls "
            f"{name} --cert=FILE --key=FILE"
        )
    if _is_of(item, release) or names.is_ours(item):
        return refuse(
            "Roost has made that one, and removes it; say `self_signed: true` for such a one",
            f"{expected} that somebody else keeps",
        )
    try:
        certificate = certificates.read(item)
    except Unfit as error:
        return refuse(f"{error}", f"{expected}, with a certificate and its key")
    if not certificate.begins <= now < certificate.ends:
        return refuse(
            f"its certificate is valid from {certificate.begins:%Y-%m-%d %H:%M} to "
            f"{certificate.ends:%Y-%m-%d %H:%M} UTC, and it is {now:%Y-%m-%d %H:%M}",
            f"{expected} whose certificate is valid now",
        )
    return Found(certificate.serial, notes=_warnings(release, name, certificate, now))


def _warnings(release: Release, name: str, certificate: Certificate, now: datetime) -> list[str]:
    notes = []
    lacking = certificate.names.lack(Names(tuple(host for host in release.hosts if host != "*")))
    if lacking:
        notes.append(f"the certificate of the secret {name} isn't valid for {', '.join(lacking)}")
    if certificate.days_left(now) <= certificates.DAYS_LEFT:
        notes.append(
            f"the certificate of the secret {name} ends on {certificate.ends:%Y-%m-%d}; nobody "
            "renews it by itself"
        )
    return notes


def _is_of(item: Block, release: Release) -> bool:
    labels = item["metadata"].get("labels") or {}
    return names.common_labels(release.name).items() <= labels.items()
