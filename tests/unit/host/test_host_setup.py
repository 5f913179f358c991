# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What setting up a machine asks for, and how it ends where it can't."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from host.cluster_settings import Paths, Settings, write

REPOSITORY = Path(__file__).resolve().parents[3]
OLD = "go: found go1.20, expected go1.26 or newer"


@pytest.fixture
def said(tmp_path: Path) -> Callable[..., str]:
    """Runs the check on a machine with an old Go; returns what it says."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text("#!/bin/sh\necho go version go1.20 linux/amd64\n")
    go.chmod(0o755)

    def run(source: str, *arguments: str) -> str:
        environment = {
            **os.environ,
            "PATH": f"{go.parent}:{os.environ['PATH']}",
            "ROOST_CACHE": str(tmp_path / "cache"),
            "BUNDLE_SOURCE": source,
        }
        command = [str(REPOSITORY / "host" / "setup.sh"), "--check", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    return run


def test_to_build_takes_a_recent_go(said: Callable[..., str]) -> None:
    assert OLD in said("build")


def test_to_fetch_takes_none(said: Callable[..., str]) -> None:
    assert "go:" not in said("fetch")


def test_a_bundle_from_another_machine_takes_none(said: Callable[..., str], tmp_path: Path) -> None:
    assert "go:" not in said("build", "--import")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "bundle.lock").write_text("{}")
    assert "go:" not in said("build")


def test_another_back_end_is_refused(said: Callable[..., str]) -> None:
    assert "setup: bundle: BUNDLE_SOURCE=magic: expected fetch or build" in said("magic")


class Machine:
    """Has nothing but what is put on its path: the commands of setup.sh itself to begin with."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.cache = folder / "cache"
        for name in (
            "bash",
            "cat",
            "cut",
            "dirname",
            "head",
            "env",
            "mktemp",
            "rm",
            "sed",
            "uname",
        ):
            (self.programs / name).symlink_to(shutil.which(name) or name)
        self.have("python3", f'exec {sys.executable} "$@"')
        self.have("id", '[ "$*" = -u ] && echo 0 || echo root')

    def have(self, name: str, script: str = "exit 0") -> None:
        (self.programs / name).write_text(f"#!/bin/bash\n{script}\n")
        (self.programs / name).chmod(0o755)

    def setup(
        self, *arguments: str, checkout: Path = REPOSITORY, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": str(self.programs),
            "HOME": str(self.cache.parent),
            "ROOST_CACHE": str(self.cache),
            "BUNDLE_SOURCE": "fetch",
            **variables,
        }
        return subprocess.run(
            [checkout / "host" / "setup.sh", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_no_package_goes_for_those_that_are_missing(machine: Machine, tmp_path: Path) -> None:
    """apt refuses, and setting up ends with what apt said and what to do."""
    calls = tmp_path / "calls"
    machine.have(
        "apt-get",
        f"""echo "$*" >>{calls}
        [ "$1" = install ] || exit 0
        echo 'The following packages will be REMOVED:'
        echo '  podman-docker'
        echo 'E: Packages need to be removed but remove is disabled.' >&2
        exit 100""",
    )
    done = machine.setup()
    assert done.returncode == 1
    assert "setup:   podman-docker\nsetup: E: Packages need to be removed but" in done.stderr
    assert "nothing was removed" in done.stderr
    assert "remove them yourself, or install what is missing" in done.stderr
    update, install = calls.read_text().splitlines()
    assert update.startswith("update ")
    assert {"--no-remove", "DPkg::Lock::Timeout=300", "skopeo"} <= set(install.split())


def test_filling_the_bundle_takes_root(machine: Machine) -> None:
    """Told before the long builds, and only where there is something to fill."""
    reason = "setup: bundle: not filled yet, which takes root"
    assert reason not in machine.setup("--check").stderr
    machine.have("id", '[ "$*" = -u ] && echo 1000 || echo ops')
    said = machine.setup("--check").stderr
    assert reason in said
    assert "make bundle-import FILE=bundle.tar" in said
    assert reason not in machine.setup("--check", "--import").stderr
    machine.cache.mkdir()
    (machine.cache / "bundle.lock").write_text("{}")
    assert reason not in machine.setup("--check").stderr


ONLY_LIBVIRT = """[ "$* $VAGRANT_DEFAULT_PROVIDER" = "status libvirt" ] && exit
echo "The provider '$VAGRANT_DEFAULT_PROVIDER' could not be found" >&2
exit 1"""


def test_a_provider_that_vagrant_lacks_is_told_before_the_bundle_is_filled(
    machine: Machine,
) -> None:
    machine.have("vagrant", ONLY_LIBVIRT)
    done = machine.setup("--check", PROVIDER="virtualbox")
    assert done.returncode == 1
    assert (
        "setup: PROVIDER=virtualbox: Vagrant can't make machines with it here, and says:\n"
        "setup: The provider 'virtualbox' could not be found\n"
        "setup: Debian 12 has no VirtualBox; install one that this Vagrant knows"
    ) in done.stderr
    for provider in ("libvirt", "docker"):
        assert "PROVIDER" not in machine.setup("--check", PROVIDER=provider).stderr


def test_the_recorded_provider_is_asked_for(machine: Machine, tmp_path: Path) -> None:
    machine.have("vagrant", ONLY_LIBVIRT)
    checkout = tmp_path / "checkout"
    shutil.copytree(
        REPOSITORY / "host", checkout / "host", ignore=shutil.ignore_patterns("__pycache__")
    )
    write(Paths(checkout, "lab"), Settings("lab", provider="virtualbox"))
    said = machine.setup("--check", checkout=checkout, ROOST_CLUSTER="lab").stderr
    assert "setup: PROVIDER=virtualbox: Vagrant can't" in said
    assert "PROVIDER" not in machine.setup("--check", checkout=checkout).stderr


def test_a_vagrant_that_was_just_installed_is_asked_too(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "new").write_text(f"#!/bin/bash\n{ONLY_LIBVIRT}\n")
    (tmp_path / "new").chmod(0o755)
    machine.have("apt-get", f"ln -sf {tmp_path / 'new'} {machine.programs / 'vagrant'}")
    (machine.programs / "ln").symlink_to(shutil.which("ln") or "ln")
    done = machine.setup(PROVIDER="virtualbox")
    assert done.returncode == 1
    assert "setup: The provider 'virtualbox' could not be found" in done.stderr
    assert "nothing was changed" not in done.stderr


@pytest.mark.skipif(not shutil.which("vagrant"), reason="vagrant isn't installed")
@pytest.mark.parametrize(("version", "known"), [("7.0.20r163906", True), ("99.1.4r1", False)])
def test_vagrant_itself_says_which_virtualbox_it_knows(
    machine: Machine, version: str, known: bool
) -> None:
    for name in ("VBoxManage", "vboxmanage"):
        machine.have(name, f"echo {version}")
    path = f"{machine.programs}:{os.environ['PATH']}"
    said = machine.setup("--check", PROVIDER="virtualbox", PATH=path).stderr
    assert ("version of VirtualBox installed" not in said) is known, said
    assert ("PROVIDER=virtualbox" not in said) is known, said
