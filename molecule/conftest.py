# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the scenarios' tests share. Molecule runs them with the cluster's variables set.

ROLE/tests/ says what holds on machines where the role, and those before it, have been applied.
ROLE/failures/ has the role's failure cases: they run on the same machines, after the tests and
before the machines are removed, apply the role again with something wrong (`converge`) and put
right what they broke. One role's, with machines that stay for another try:

    molecule converge -s ROLE
    ROOST_TESTS=failures molecule verify -s ROLE
    molecule destroy -s ROLE

`make test-full` runs those of all roles. The fixture `host` is testinfra's: a test that asks for it
runs once for each machine that the scenario names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import pytest
import testinfra
import yaml

import tests.conftest  # noqa: F401  lets tests import the plugins by their full names
from tests.command import REPOSITORY, Ran, run

if TYPE_CHECKING:
    from tests.pods import Pods

INVENTORY = REPOSITORY / "inventory"

Setting = Callable[[str], str]
Playbook = Callable[..., Ran]
Converge = Callable[..., Ran]
Refused = Callable[..., str]
Eventually = Callable[[Callable[[], Any], Any, float], None]


@pytest.fixture(scope="session")
def playbook() -> Playbook:
    """Runs a playbook over the scenario's machines: `playbook(path, *arguments, **environment)`."""

    def play(path: Path, *arguments: str, **environment: str) -> Ran:
        return run(
            "ansible-playbook", f"--inventory={INVENTORY}", *arguments, str(path), **environment
        )

    return play


@pytest.fixture(scope="session")
def converge(playbook: Playbook) -> Converge:
    """Applies the scenario's role once more: `converge("-e", "preflight_min_cpus=99")`."""
    # Molecule writes base and scenario, put together, to this file.
    config: dict[str, Any] = yaml.safe_load(Path(os.environ["MOLECULE_FILE"]).read_text())
    path = Path(
        os.environ["MOLECULE_SCENARIO_DIRECTORY"], config["ansible"]["playbooks"]["converge"]
    )

    def apply(*arguments: str, **environment: str) -> Ran:
        return playbook(path, *arguments, **environment)

    return apply


@pytest.fixture(scope="session")
def refused(converge: Converge) -> Refused:
    """Applies the role where it has to fail before it changes anything, and returns what is said.

    `refused(preflight_min_cpus=99)` gives it an option, `refused(hosts={"worker-1": {…}})` a
    variable of one machine.
    """

    def apply(hosts: Mapping[str, Mapping[str, Any]] | None = None, **options: Any) -> str:
        with variables(hosts or {}) as inventory:
            ran = converge(*inventory, "--extra-vars", json.dumps(options))
        assert ran.code != 0
        assert ran.changed == 0
        return ran.said

    return apply


@contextmanager
def variables(hosts: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    """The arguments with which machines have these variables, over those of the inventory."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump({"all": {"hosts": {name: dict(own) for name, own in hosts.items()}}}, file)
        file.flush()
        yield [f"--inventory={file.name}"] if hosts else []


@pytest.fixture
def recovers(converge: Converge) -> Iterator[Callable[[], None]]:
    """Applies the role without a fault, twice: the second time there is nothing left to do.

    A test that fails before it gets there leaves the next one machines that are well, too.
    """
    called = []

    def apply() -> None:
        called.append(True)
        assert converge().code == 0
        again = converge()
        assert (again.code, again.changed) == (0, 0)

    yield apply
    if not called:
        converge()


@pytest.fixture(scope="session")
def machine() -> Callable[[str], Any]:
    """A machine by its name, with testinfra's ways to look at it; commands run as root."""

    def named(name: str) -> Any:
        return testinfra.get_host(f"ansible://{name}?sudo=true", ansible_inventory=str(INVENTORY))

    return named


@pytest.fixture(scope="session")
def setting() -> Setting:
    """A setting or a path of the cluster, by its key."""

    def get(key: str) -> str:
        command = [sys.executable, str(REPOSITORY / "host" / "settings.py"), "get", key]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    return get


@pytest.fixture(scope="session")
def addresses(setting: Setting) -> dict[str, str]:
    """The private address of each machine, by its name."""
    prefix = setting("subnet").rpartition(".")[0]
    workers = {f"worker-{number}": 100 + number for number in range(1, int(setting("workers")) + 1)}
    return {name: f"{prefix}.{octet}" for name, octet in {"control": 100, **workers}.items()}


@pytest.fixture(scope="session")
def bundle() -> dict[str, Any]:
    """What the bundle's lock says of each component."""
    cache = os.environ.get("ROOST_CACHE") or Path.home() / ".cache" / "roost"
    lock = json.loads((Path(cache) / "bundle.lock").read_text(encoding="utf-8"))
    components: dict[str, Any] = lock["components"]
    return components


@pytest.fixture(scope="session")
def api(setting: Setting) -> Any:
    """The Kubernetes API, asked with the kubeconfig that was fetched."""
    from kubernetes import client, config

    return client.CoreV1Api(config.new_client_from_config(setting("kubeconfig")))


@pytest.fixture(scope="module")
def pods(api: Any, bundle: dict[str, Any]) -> Iterator[Pods]:
    """Room for pods of a test, in a namespace that goes in the end."""
    from tests.pods import Pods

    with Pods(api, bundle["app-v1"]["name"], {}) as pods:
        yield pods


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Asserts that something becomes what is expected, within seconds."""

    def wait(look: Callable[[], Any], expected: Any, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (seen := look()) != expected and time.monotonic() < until:
            time.sleep(0.5)  # what is looked at has no call that waits
        assert seen == expected, f"still not after {seconds:g} s"

    return wait
