# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Machines as their owners hand them over: a system of theirs, a user who logs in with a key and
may use sudo, and an inventory like the documentation's example. No settings were made for them.

They are containers, so their kernel is that of the machine which carries them, and the group
`provider_docker` says what that needs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from host import containers, network, nodes
from host.cluster_settings import Paths, Settings
from tests.command import REPOSITORY
from tests.e2e.conftest import SETTINGS
from tests.real_machines import images
from tests.real_machines.machines import Machines

# What each machine has; None is the image that the bundle makes, with Debian 12.
SYSTEMS = {
    "control": None,
    "worker-1": images.DEBIAN_13,
    "worker-2": images.UBUNTU_24,
    "worker-3": images.UBUNTU_22,
}


@pytest.fixture(scope="session")
def node_images() -> Iterator[dict[str, str]]:
    """An image for each machine."""
    try:
        yield {
            name: images.build(system) if system else nodes.image(REPOSITORY, "node")
            for name, system in SYSTEMS.items()
        }
    except images.Unreachable as error:
        pytest.skip(str(error))
    finally:
        for system in SYSTEMS.values():
            if system:
                images.remove(system)


@pytest.fixture(scope="session")
def machines(
    node_images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machines]:
    settings = Settings(cluster=SETTINGS["ROOST_CLUSTER"], subnet=SETTINGS["ROOST_SUBNET"])
    paths = Paths(REPOSITORY, settings.cluster)
    prefix = settings.subnet.rpartition(".")[0]
    addresses = {name: f"{prefix}.{100 + at}" for at, name in enumerate(SYSTEMS)}
    folder = tmp_path_factory.mktemp("own")
    (folder / "inventory").mkdir()
    (folder / "inventory" / "group_vars").symlink_to(REPOSITORY / "inventory" / "group_vars")
    shutil.copy(REPOSITORY / "inventory" / "settings.roost.yml", folder / "inventory")
    nodes.clean(paths, any_checkout=True)
    try:
        network.up(settings, REPOSITORY)
        for name, image in node_images.items():
            machine = containers.Machine(name, addresses[name])
            containers.start(paths, settings, image, [machine], [])
        found = Machines(folder, addresses, paths)
        for name in SYSTEMS:
            found.hand_over(name)
        yield found
    finally:
        nodes.clean(paths, any_checkout=True)
        shutil.rmtree(paths.directory, ignore_errors=True)
