# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A bundle that is damaged, a disk that is full, a connection that breaks, a port that is taken.

What the machine's registry has, it goes on serving; what it lacks is brought when all is well.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import faults
from tests.command import Ran
from tests.faults import STORE

STAGING = f"{STORE}/staging"
PORT = 5000


@pytest.fixture
def control(machine: Callable[[str], Any]) -> Any:
    return machine("control")


def lose(control: Any, *digests: str) -> None:
    """The machine's store lacks these blobs."""
    paths = " ".join(f"{STORE}/{faults.blob_path(digest)}" for digest in digests)
    control.run_expect([0], f"rm {paths}")


def is_there(control: Any, digest: str) -> bool:
    return bool(control.file(f"{STORE}/{faults.blob_path(digest)}").exists)


def serves(control: Any, address: str) -> bool:
    ask = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).status)"
    return bool(control.run("python3 -c %s %s", ask, f"http://{address}:{PORT}/v2/").rc == 0)


# -- The bundle on the controller -----------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store that may be damaged: the bundle's own, whose files are shared with it."""
    copy = tmp_path / "store"
    original = faults.bundle_cache() / "store"
    shutil.copytree(original, copy, copy_function=faults.link_or_copy)
    return copy


def damage(path: Path, content: bytes) -> None:
    """Another file in the place of a shared one, which stays as it is."""
    path.unlink()
    path.write_bytes(content)


def test_a_blob_that_is_corrupt(
    refused: Any, recovers: Any, control: Any, bundle: dict[str, Any], store: Path
) -> None:
    """It has its size, so that only its digest tells; nothing of it reaches the store."""
    digest = bundle["runc"]["blob"]
    place = store / faults.blob_path(digest)
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 1
    damage(place, bytes(content))
    lose(control, digest)
    said = refused(registry_store_path=str(store))
    assert re.search(rf"the blob {digest} arrived corrupt, its sha256 is [0-9a-f]{{64}}", said)
    assert "the bundle's own copy is corrupt: run `python -m bundle fill runc`" in said
    assert not is_there(control, digest)
    recovers()
    assert is_there(control, digest)


@pytest.mark.parametrize("size", [0, 1000, None])
def test_a_blob_that_is_cut_off_or_missing(
    refused: Any, bundle: dict[str, Any], store: Path, size: int | None
) -> None:
    digest = bundle["runc"]["blob"]
    place = store / faults.blob_path(digest)
    if size is None:
        place.unlink()
        wanted = rf"runc: the store {store} lacks the blob {digest}: run"
    else:
        damage(place, place.read_bytes()[:size])
        wanted = rf"runc: the blob {digest} has {size} bytes in {store}, its manifest says \d+: run"
    assert re.search(
        f"{wanted} `python -m bundle fill runc`", refused(registry_store_path=str(store))
    )


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (None, "missing: fill the bundle first"),
        ("{", "not a bundle's lock file"),
        ('{"components": []}', "components is not a table of names"),
    ],
)
def test_a_lock_that_is_none(
    refused: Any, tmp_path: Path, content: str | None, wanted: str
) -> None:
    lock = tmp_path / "bundle.lock"
    if content is not None:
        lock.write_text(content)
    assert f"{lock}: {wanted}" in refused(registry_lock_path=str(lock))


# -- The disk -------------------------------------------------------------------------------


def test_too_little_disk(refused: Any, control: Any) -> None:
    """It is known before anything is sent."""
    with faults.small_disk(control, STORE, "8m"):
        said = refused()
    needed = r"\d MiB are free, \d+ MiB are needed for the bundle's missing blobs: free \d+ MiB"
    assert re.search(f"{STORE}: {needed}", said)


def test_a_disk_that_gets_full_meanwhile(
    refused: Any, recovers: Any, control: Any, bundle: dict[str, Any], addresses: dict[str, str]
) -> None:
    digest = bundle["runc"]["blob"]
    lose(control, digest)
    with faults.small_disk(control, STAGING, "1m"):
        said = refused()
    assert f"sending the blob {digest} (runc): " in said
    assert "the disk is full: free some space where the machine keeps the store, and run" in said
    assert serves(control, addresses["control"])
    recovers()
    assert is_there(control, digest)


# -- The connection -------------------------------------------------------------------------


# Ends SSH's sessions when the second blob arrives, so that the first one is whole.
CUT = f"""
until [ "$(ls {STAGING} 2>/dev/null | wc -l)" -ge 2 ]; do :; done
pkill -KILL -f '^sshd: vagrant'
"""


def test_a_connection_that_breaks_half_way(
    converge: Any, recovers: Any, control: Any, bundle: dict[str, Any]
) -> None:
    """What has arrived whole is not sent once more."""
    # All of it, as on a new machine: a part would be there before anything could break.
    nodes = [entry for entry in bundle.values() if entry["where"] == "nodes"]
    digests = [entry["blob"] for entry in nodes if "blob" in entry]
    control.run_expect([0], f"find {STORE}/docker -name data -delete")
    cut = "systemd-run --quiet --collect --unit=cut timeout 120 sh -c %s"
    control.run_expect([0], cut, CUT)
    ran: Ran = converge()
    assert ran.code != 0
    assert re.search(r"sending the blob sha256:\w+ \([\w-]+\): the connection broke; ", ran.said)
    assert "look whether the machine still answers, and run the same again" in ran.said
    arrived = len(control.check_output(f"ls {STAGING}").split())
    assert arrived > 1
    assert not any(is_there(control, digest) for digest in digests)

    resumed: Ran = converge("--diff")
    assert resumed.code == 0
    told = re.search(r"registry store: (\d+) blobs were sent by an earlier run", resumed.said)
    assert told
    assert 0 < int(told[1]) <= arrived
    assert all(is_there(control, digest) for digest in digests)
    recovers()


# -- The service ----------------------------------------------------------------------------


def test_the_port_is_taken(
    refused: Any, recovers: Any, control: Any, addresses: dict[str, str]
) -> None:
    """By somebody who even answers as a registry would."""
    address = addresses["control"]
    with faults.stopped(control, "roost-registry"), faults.port_taken(control, PORT, address):
        assert serves(control, address)
        said = refused()
    assert re.search(
        rf"roost-registry.service is not ready: port {PORT}: found held by python3[.\d]* \(process "
        r"\d+\), expected free; stop what holds it, and run the same again",
        said,
    )
    assert "bind: address already in use" in said
    recovers()
    assert serves(control, address)


def test_an_address_that_the_machine_does_not_have(
    refused: Any, recovers: Any, control: Any, addresses: dict[str, str]
) -> None:
    absent = addresses["control"].rpartition(".")[0] + ".77"
    said = refused(registry_address=absent)
    assert f"{absent}: found on no interface of this machine (Cannot assign requested addr" in said
    assert "so nothing was changed; correct the inventory or the machine's network" in said
    assert serves(control, addresses["control"])
    recovers()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"registry_port": "five"}, "argument 'registry_port' is of type str"),
        (
            {"registry_bundle": {}},
            "bundle.lock: registry: expected as a file and not found; `make bundle` fills the",
        ),
    ],
)
def test_a_wrong_option_is_named(refused: Any, options: dict[str, Any], said: str) -> None:
    assert said in refused(**options)


def test_nothing_goes_on_when_the_machine_does_not_answer(converge: Any) -> None:
    with faults.unreachable("control"):
        ran = converge()
    assert ran.code != 0
    assert ran.recap["control"]["unreachable"] == 1
    assert ran.changed == 0


def test_nothing_is_left_to_do_without_all_this(converge: Any) -> None:
    ran = converge()
    assert (ran.code, ran.changed) == (0, 0)
