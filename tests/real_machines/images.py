# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Node images of the systems that machines of one's own may have, each with that system's own
packages. The kernel is that of the machine which carries the containers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from bundle.debian import mirrors
from host.docker_cli import docker
from tests.command import REPOSITORY

CACHE = REPOSITORY / ".cache" / "real-machines"
DOCKERFILE = REPOSITORY / "bundle" / "images" / "node"
UBUNTU = os.environ.get("UBUNTU_MIRROR", "http://archive.ubuntu.com/ubuntu")
# The keys of Ubuntu's archive, which Debian has no package of.
KEYS = "pool/main/u/ubuntu-keyring/ubuntu-keyring_2023.11.28.1_all.deb"
KEYS_SHA256 = "36de43b15853ccae0028e9a767613770c704833f82586f28eb262f0311adb8a8"
KEYRING = "usr/share/keyrings/ubuntu-archive-keyring.gpg"

# An import has no settings of its own, and without PATH no command is found.
PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What a small server has, and iptables. No conntrack, socat or ethtool.
PACKAGES = [
    "ca-certificates",
    "dbus",
    "iproute2",
    "iptables",
    "iputils-ping",
    "kmod",
    "mount",
    "nftables",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
    "util-linux",
]


class Unreachable(Exception):
    """No mirror of the system answers, so that it can't be tested here."""


@dataclass(frozen=True)
class System:
    """An operating system, as its os-release calls it, its archive's suite, further packages."""

    id: str
    version: str
    suite: str
    packages: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.id}-{self.version}"

    @property
    def sources(self) -> list[str]:
        """Lines for sources.list."""
        if self.id == "debian":
            # Those of this machine, for another release.
            return [line.replace("bookworm", self.suite) for line in mirrors("bookworm")]
        suites = (self.suite, f"{self.suite}-updates", f"{self.suite}-security")
        return [f"deb {UBUNTU} {suite} main" for suite in suites]


DEBIAN_13 = System("debian", "13", "trixie")
UBUNTU_22 = System("ubuntu", "22.04", "jammy", ("ufw",))
UBUNTU_24 = System("ubuntu", "24.04", "noble", ("systemd-resolved", "ufw"))


def root(system: System) -> Path:
    """The root file system of a system, made once; kept until what it is made of changes."""
    made_of = " ".join([*system.sources, *PACKAGES, *system.packages])
    target = CACHE / f"{system.name}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}.tar"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part.tar")
        keyring = [f"--keyring={ubuntu_keyring()}"] if system.id == "ubuntu" else []
        command = ["mmdebstrap", "--variant=minbase", "--mode=root", "--quiet", *keyring]
        command += [f"--include={','.join([*PACKAGES, *system.packages])}"]
        for path in ("doc", "man", "locale"):
            command.append(f"--dpkgopt=path-exclude=/usr/share/{path}/*")
        command.append('--customize-hook=rm -rf "$1"/var/cache/*')
        subprocess.run([*command, system.suite, str(part), *system.sources], check=True)
        part.replace(target)
    return target


def ubuntu_keyring() -> Path:
    """The keys of Ubuntu's archive, taken from there and known by their package's digest."""
    keyring = CACHE / KEYRING
    if not keyring.exists():
        try:
            with urllib.request.urlopen(f"{UBUNTU}/{KEYS}", timeout=10) as answer:
                package = answer.read()
        except OSError as error:
            raise Unreachable(f"{UBUNTU} doesn't answer ({error})") from None
        found = hashlib.sha256(package).hexdigest()
        assert found == KEYS_SHA256, f"{KEYS}: expected the sha256 {KEYS_SHA256}, found {found}"
        archive = CACHE / "keys.deb"
        archive.write_bytes(package)
        subprocess.run(["dpkg-deb", "--extract", str(archive), str(CACHE)], check=True)
    return keyring


def build(system: System) -> str:
    """Have a node image of the system in Docker, made as the bundle's is; return its name."""
    base, image = (f"roost-test/{kind}:{system.name}" for kind in ("root", "node"))
    subprocess.run(["docker", "import", "--change", PATH, str(root(system)), base], check=True)
    build = [
        "docker",
        "build",
        "--force-rm",
        "--quiet",
        "--network=none",
        f"--build-arg=BASE={base}",
    ]
    subprocess.run(
        [*build, f"--tag={image}", str(DOCKERFILE)],
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
        check=True,
    )
    return image


def remove(system: System) -> None:
    for kind in ("node", "root"):
        docker("image", "rm", "--force", f"roost-test/{kind}:{system.name}")
