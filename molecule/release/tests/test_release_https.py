# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""HTTPS at the gateway: it comes with the release's `tls`, with the certificate that is asked for,
and goes with it. The tests stand in the order in which they run."""

from __future__ import annotations

import base64
import copy
import json
import socket
import ssl
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.roost.cluster.plugins.module_utils.release import certificates, names
from ansible_collections.roost.cluster.plugins.module_utils.release.certificates import Names
from ansible_collections.roost.cluster.plugins.module_utils.verify import https

from tests.command import REPOSITORY, Ran
from tests.pods import get

DEFINITION = REPOSITORY / "inventory" / "group_vars" / "all" / "release.yml"
PLACE = "istio-system"
OWN, THEIRS = "roost-digits-tls", "shop"
NODE_PORT = 30443
# Of a gateway that has just lost the server, until it listens no more.
SECONDS = 15

Apply = Callable[..., Ran]


@pytest.fixture(scope="module")
def apply(converge: Any, api: Any) -> Iterator[Apply]:
    """Applies the release as it is shipped, with this `tls`; in the end without any."""

    def bring(tls: dict[str, Any] | None, *arguments: str, **environment: str) -> Ran:
        release = copy.deepcopy(yaml.safe_load(DEFINITION.read_text())["release"])
        if tls:
            release["tls"] = tls
        variables = ("--extra-vars", json.dumps({"release": release}))
        ran: Ran = converge(*variables, *arguments, **environment)
        assert ran.code == 0, ran.output
        return ran

    try:
        yield bring
    finally:
        bring(None)
        if THEIRS in secrets(api):
            api.delete_namespaced_secret(THEIRS, PLACE)


@pytest.fixture(scope="module")
def everywhere(setting: Any, addresses: dict[str, str]) -> list[str]:
    """Where HTTPS is answered: the address of users, and each node."""
    nodes = [f"{address}:{NODE_PORT}" for address in addresses.values()]
    return [f"127.0.0.1:{setting('https_port')}", *nodes]


def secrets(api: Any) -> set[str]:
    return {item.metadata.name for item in api.list_namespaced_secret(PLACE).items}


def certificate(api: Any, name: str) -> dict[str, str]:
    """The data of a secret."""
    found: dict[str, str] = api.read_namespaced_secret(name, PLACE).data
    return found


def serials(shown: list[bytes]) -> set[str]:
    from cryptography import x509

    return {f"{x509.load_der_x509_certificate(each).serial_number:x}" for each in shown}


def shakes(everywhere: list[str], pem: str) -> list[bytes]:
    """The certificate that each address shows to a client that trusts this one alone."""
    context = ssl.create_default_context(cadata=pem)
    return [shake(address, context) for address in everywhere]


def shake(address: str, context: ssl.SSLContext) -> bytes:
    host, _colon, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        assert secure.version() in ("TLSv1.2", "TLSv1.3")
        shown = secure.getpeercert(binary_form=True)
    assert shown
    return shown


def asked(address: str, pem: str, path: str = "/api/version") -> Any:
    """What curl is answered, which trusts this certificate alone."""
    command = ["curl", "--silent", "--fail", "--cacert", "/dev/stdin", f"https://{address}{path}"]
    done = subprocess.run(command, input=pem, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def pem_of(api: Any, name: str) -> str:
    return base64.b64decode(certificate(api, name)["tls.crt"]).decode()


def careless() -> ssl.SSLContext:
    """A client that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def answering(everywhere: list[str]) -> list[str]:
    """The addresses at which somebody speaks TLS."""

    def speaks(address: str) -> bool:
        try:
            return bool(shake(address, careless()))
        except OSError:
            return False

    return [address for address in everywhere if speaks(address)]


def test_without_tls_nobody_answers(everywhere: list[str]) -> None:
    assert answering(everywhere) == []


def test_one_of_its_own_is_shown_everywhere(
    apply: Apply, api: Any, everywhere: list[str], addresses: dict[str, str], tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    ran = apply(
        {"self_signed": True},
        *("--diff", "-vvv", "-e", f"plan_file={plan}"),
        ANSIBLE_CALLBACKS_ENABLED="roost.cluster.plan",
    )
    data = certificate(api, OWN)
    # By every name that clients have for it.
    wanted = ", ".join(["localhost", "127.0.0.1", *addresses.values()])
    assert f"Secret {PLACE}/{OWN}: new, self-signed for {wanted}" in ran.said
    pem = pem_of(api, OWN)
    assert len(serials(shakes(everywhere, pem))) == 1
    assert asked(f"localhost:{everywhere[0].rpartition(':')[2]}", pem)["app"] in ("v1", "v2")
    # Its key is on the cluster and nowhere else.
    key = data["tls.key"]
    for text in (ran.output, plan.read_text()):
        assert OWN in text
        assert key not in text
        for line in base64.b64decode(key).decode().splitlines():
            assert line not in text


def test_a_second_run_changes_nothing(apply: Apply, api: Any) -> None:
    before = certificate(api, OWN)
    assert apply({"self_signed": True}).changed == 0
    assert certificate(api, OWN) == before


def test_old_protocols_are_refused(everywhere: list[str]) -> None:
    for address in everywhere:
        with pytest.raises(OSError):
            shake(address, https.old_client())


def test_versions_are_drawn_as_over_http_and_pairs_never_mixed(
    api: Any, everywhere: list[str], setting: Any
) -> None:
    pem = pem_of(api, OWN)
    answers = [asked(everywhere[0], pem) for _ in range(100)]
    pairs = Counter((answer["app"], answer["model"]) for answer in answers)
    # Of 100, none has the canary's 10 % in one of 38,000 runs; 40 or more in fewer.
    assert pairs.keys() == {("v1", "v1"), ("v2", "v2")}
    assert 0 < pairs["v2", "v2"] < 40
    assert get(f"http://127.0.0.1:{setting('http_port')}/api/version").status == 200


def test_it_is_made_anew_when_it_is_near_its_end(
    apply: Apply, api: Any, everywhere: list[str], addresses: dict[str, str]
) -> None:
    now = datetime.now(timezone.utc)
    wanted = Names(("localhost",), ("127.0.0.1", *addresses.values()))
    early = now - timedelta(days=certificates.DAYS - certificates.DAYS_LEFT)
    data = certificates.make("digits", wanted, certificates.new_serial(), early)
    old = certificates.secret(OWN, PLACE, names.common_labels("digits"), data)
    api.replace_namespaced_secret(OWN, PLACE, old)
    ran = apply({"self_signed": True})
    assert f"Secret {PLACE}/{OWN}: made anew, for it ends on " in ran.said
    assert ran.changed == 1
    # The run has waited until every gateway shows it.
    assert serials(shakes(everywhere, pem_of(api, OWN))).isdisjoint({certificates.read(old).serial})


def test_a_secret_of_somebody_else_takes_its_place(
    apply: Apply, api: Any, everywhere: list[str]
) -> None:
    wanted = Names(("shop.example",))
    data = certificates.make("shop", wanted, certificates.new_serial(), datetime.now(timezone.utc))
    theirs = certificates.secret(THEIRS, PLACE, {}, data)
    api.create_namespaced_secret(PLACE, theirs)
    apply({"secret": THEIRS})
    shown = [shake(address, careless()) for address in everywhere]
    assert serials(shown) == {certificates.read(theirs).serial}
    assert OWN not in secrets(api)
    assert apply({"secret": THEIRS}).changed == 0


def test_without_tls_it_is_gone_and_theirs_stays(
    apply: Apply, api: Any, everywhere: list[str], eventually: Any
) -> None:
    before = certificate(api, THEIRS)
    apply({"self_signed": True})
    apply(None)
    eventually(lambda: answering(everywhere), [], SECONDS)
    assert OWN not in secrets(api)
    assert certificate(api, THEIRS) == before
    assert apply(None).changed == 0
