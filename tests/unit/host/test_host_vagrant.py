# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Vagrantfile: what it makes of settings, hosts.yml and container.yml."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from host import cluster_settings
from host.cluster_settings import Paths, Settings

REPOSITORY = Path(__file__).resolve().parents[3]
# Enough of Vagrant to load host/vagrant.rb, and what it makes of a cluster as JSON.
PROGRAM = """#!/usr/bin/env ruby
require "json"
module Vagrant; module Errors; class VagrantError < StandardError; end; end; end
require "{root}/host/vagrant"
cluster = Roost::Cluster.at("{root}")
puts JSON.generate({result})
"""
RESULT = """
  "machines" => cluster.machines.map(&:to_a),
  "arguments" => cluster.machines.to_h { |m| [m.name, cluster.send(:container_arguments, m)] },
  "dotfile" => ENV["VAGRANT_DOTFILE_PATH"],
  "provider" => ENV["VAGRANT_DEFAULT_PROVIDER"],
  "path" => ENV["PATH"].split(":").first
"""
# Vagrant's own idea of a machine, as far as triggers look at it.
TRIGGER = """
  "result" => cluster.{trigger}(Struct.new(:name, :id).new(:"worker-1", {id})).class.name
"""

# What the Vagrantfile asks Vagrant to do around commands, in its order.
VAGRANTFILE = """
  "triggers" => begin
    found = []
    trigger = Object.new
    %i[before after].each do |stage|
      trigger.define_singleton_method(stage) do |*commands, name:, run_remote: nil, ruby: nil|
        found << { stage:, commands:, name:, script: run_remote&.fetch(:inline) }
      end
    end
    config = Object.new
    config.define_singleton_method(:trigger) { trigger }
    config.define_singleton_method(:vm) { Class.new { def method_missing(*) = nil }.new }
    Vagrant.define_singleton_method(:configure) { |_, &block| block.call(config) }
    load "Vagrantfile"
    found
  end
"""

needs_ruby = pytest.mark.skipif(not shutil.which("ruby"), reason="Vagrant brings Ruby along")
needs_vagrant = pytest.mark.skipif(not shutil.which("vagrant"), reason="vagrant isn't installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the Vagrantfile needs, in a folder of its own."""
    return copy(tmp_path)


def copy(folder: Path) -> Path:
    root = folder / "checkout"
    shutil.copytree(REPOSITORY / "inventory", root / "inventory")
    shutil.copy(REPOSITORY / "Vagrantfile", root)
    shutil.copytree(
        REPOSITORY / "host", root / "host", ignore=shutil.ignore_patterns("__pycache__")
    )
    return root


def environment(checkout: Path, **variables: str) -> dict[str, str]:
    """None of the variables that decide about a cluster, but for those that are given."""
    ours = set(cluster_settings.VARIABLES.values())
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith("VAGRANT_")
    }
    # As after `. .venv/bin/activate`; what stands in for python3 elsewhere may be slow to start.
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    return {**kept, "VAGRANT_HOME": str(checkout.parent / "vagrant.d"), "PATH": path, **variables}


def load(checkout: Path, result: str = RESULT, **variables: str) -> dict[str, Any]:
    program = checkout.parent / "program.rb"
    program.write_text(PROGRAM.format(root=checkout, result=result))
    program.chmod(0o755)
    done = subprocess.run(
        [program, "status"],
        cwd=checkout,
        env=environment(checkout, **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@needs_ruby
def test_the_machines_are_those_of_the_settings(checkout: Path) -> None:
    cluster_settings.write(
        Paths(checkout, "roost"), Settings(subnet="10.7.3.0/24", workers=3, provider="libvirt")
    )
    found = load(checkout)
    assert found["machines"] == [
        ["control", "control_plane", "10.7.3.100"],
        ["worker-1", "workers", "10.7.3.101"],
        ["worker-2", "workers", "10.7.3.102"],
        ["worker-3", "workers", "10.7.3.103"],
    ]
    assert found["provider"] == "libvirt"
    assert found["path"] == f"{checkout}/.venv/bin"


@needs_ruby
def test_a_command_that_starts_nothing_records_nothing(checkout: Path) -> None:
    assert len(load(checkout, WORKERS="1")["machines"]) == 2
    assert not (checkout / ".roost").exists()


@needs_ruby
@pytest.mark.parametrize(
    ("trigger", "id", "forgotten"),
    [
        ("before_up", "nil", True),
        ("before_up", '"made"', False),
        ("after_destroy", "nil", True),
        ("after_destroy", '"kept"', False),
    ],
)
def test_a_virtual_machine_that_is_new_or_gone_has_another_host_key(
    checkout: Path, trigger: str, id: str, forgotten: bool
) -> None:
    """Else SSH refuses each machine that comes after it at its address."""
    paths = Paths(checkout, "roost")
    cluster_settings.write(paths, Settings(subnet="10.7.3.0/24", provider="virtualbox"))
    paths.known_hosts.write_text("10.7.3.101 ssh-ed25519 AAAA\n")
    load(checkout, TRIGGER.format(trigger=trigger, id=id))
    assert (paths.known_hosts.read_text() == "") is forgotten


def after_up(checkout: Path, provider: str) -> list[dict[str, Any]]:
    cluster_settings.write(Paths(checkout, "roost"), Settings(provider=provider))
    return [
        trigger
        for trigger in load(checkout, VAGRANTFILE)["triggers"]
        if trigger["stage"] == "after" and "up" in trigger["commands"]
    ]


@needs_ruby
def test_virtual_machines_get_iptables_before_the_playbook_runs(checkout: Path) -> None:
    assert [trigger["name"] for trigger in after_up(checkout, "docker")] == ["the edge, site.yml"]
    first, second = after_up(checkout, "libvirt")
    assert (first["name"], second["name"]) == ("iptables", "the edge, site.yml")
    assert first["commands"] == second["commands"]


@needs_ruby
@pytest.mark.parametrize(
    ("present", "apt", "asked", "code"),
    [
        (True, "exit 100", [], 0),
        (False, "exit 0", ["update", "install"], 0),
        (False, "exit 100", ["update", "install"], 1),
    ],
)
def test_iptables_comes_from_the_boxs_own_archive(
    checkout: Path, present: bool, apt: str, asked: list[str], code: int
) -> None:
    """On a machine whose path has nothing but iptables, if at all, and apt-get."""
    script = after_up(checkout, "virtualbox")[0]["script"]
    programs = checkout / "programs"
    programs.mkdir()
    commands = {"apt-get": f'echo "$1" >>{checkout}/asked; {apt}'}
    if present:
        commands["iptables"] = "exit 0"
    for name, body in commands.items():
        (programs / name).write_text(f"#!/bin/bash\n{body}\n")
        (programs / name).chmod(0o755)
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-c", script],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert ("ROOST_BOX names another" in done.stderr) is (code != 0)
    record = checkout / "asked"
    assert (record.read_text().split() if record.exists() else []) == asked


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A cluster that is not the default one, with its folder."""
    root = copy(tmp_path_factory.mktemp("lab"))
    return root, load(root, ROOST_CLUSTER="lab")


@needs_ruby
def test_a_clusters_machines_are_kept_in_its_own_folder(
    checkout: Path, lab: tuple[Path, dict[str, Any]]
) -> None:
    """Vagrant reads the variable before the Vagrantfile: it is started again with it."""
    root, found = lab
    assert found["dotfile"] == f"{root}/.roost/lab/vagrant"
    assert load(checkout)["dotfile"] is None
    own = f"{checkout}/.roost/lab/vagrant"
    assert load(checkout, ROOST_CLUSTER="lab", VAGRANT_DOTFILE_PATH=own)["dotfile"] == own
    assert load(checkout, VAGRANT_DOTFILE_PATH=own)["dotfile"] == f"{checkout}/.vagrant"


@needs_ruby
def test_the_flags_of_a_container_are_those_of_the_file(
    lab: tuple[Path, dict[str, Any]],
) -> None:
    root, found = lab
    arguments = found["arguments"]["worker-1"]
    spec = yaml.safe_load((REPOSITORY / "host" / "container.yml").read_text())
    labels = {
        "roost.cluster": "lab",
        "roost.role": "node",
        "roost.node": "worker-1",
        "roost.checkout": str(root),
    }
    expected = {f"--label={key}={value}" for key, value in labels.items()}
    expected |= {f"--cap-add={each}" for each in spec["capabilities"]}
    expected |= {f"--cap-drop={each}" for each in spec["capabilities_dropped"]}
    expected |= {f"--security-opt={each}" for each in spec["security_options"]}
    expected |= {f"--device-cgroup-rule={each}" for each in spec["device_cgroup_rules"]}
    expected |= {f"--tmpfs={each}" for each in spec["tmpfs"]}
    expected |= {"--cgroupns=private", "--stop-signal=SIGRTMIN+3", "--cpu-shares=1024"}
    assert "--cpu-shares=4096" in found["arguments"]["control"]
    volume_labels = ",".join(f"volume-label={key}={value}" for key, value in labels.items())
    expected |= {
        f"--mount=type=volume,src=roost-lab-worker-1-{volume},dst={path},{volume_labels}"
        for volume, path in spec["volumes"].items()
    }
    assert set(arguments) == expected
    assert len(arguments) == len(expected)


def test_a_container_node_is_not_privileged() -> None:
    spec = yaml.safe_load((REPOSITORY / "host" / "container.yml").read_text())
    assert "SYS_RESOURCE" in spec["capabilities_dropped"]
    assert "privileged" not in spec


def vagrant(checkout: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["vagrant", *arguments],
        cwd=checkout,
        env=environment(checkout, **variables),
        capture_output=True,
        text=True,
        check=False,
    )


@needs_vagrant
@pytest.mark.parametrize("provider", ["docker", "virtualbox"])
def test_vagrant_finds_nothing_wrong(checkout: Path, provider: str) -> None:
    """Neither VirtualBox nor a running Docker has to be there: only their version is asked for."""
    programs = checkout.parent / "bin"
    programs.mkdir()
    for name in ("VBoxManage", "vboxmanage", "docker"):
        (programs / name).write_text("#!/bin/sh\necho 7.0.20r163906\n")
        (programs / name).chmod(0o755)
    path = f"{programs}:{environment(checkout)['PATH']}"
    done = vagrant(checkout, "validate", PROVIDER=provider, PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "validated successfully" in done.stdout


@needs_vagrant
def test_wrong_settings_stop_vagrant_with_the_reason_alone(checkout: Path) -> None:
    done = vagrant(checkout, "status", WORKERS="0")
    assert done.returncode == 1
    assert done.stderr == "settings: WORKERS: '0'; expected a number from 1 to 154\n"
