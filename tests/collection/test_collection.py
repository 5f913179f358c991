# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The collection as its users have it: built, installed, and used from outside the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.istio.test_operator import values

REPOSITORY = Path(__file__).resolve().parents[2]
# What a user needs, and nothing that makes the bundle or machines, or tests.
CONTENT = {
    "CHANGELOG.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "changelogs",
    "docs",
    "inventory",
    "meta",
    "playbooks",
    "plugins",
    "roles",
}
ROLES = sorted(path.name for path in (REPOSITORY / "roles").iterdir())
PLAYBOOKS = ("cluster", "mesh", "registry", "release", "site", "verify")


@dataclass(frozen=True)
class Project:
    """A folder with playbooks of somebody's own, and the collections that were installed for it."""

    folder: Path
    collections: Path

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("ANSIBLE_", "ROOST_"))
        }
        return subprocess.run(
            [sys.executable, "-m", "ansible", *command],
            cwd=self.folder,
            env={**kept, "ANSIBLE_HOME": str(self.folder / "home"), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def write(self, name: str, content: Any) -> Path:
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    collections = tmp_path_factory.mktemp("collections")
    done = subprocess.run(
        [REPOSITORY / "tests" / "install_collection", collections],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    project = Project(tmp_path_factory.mktemp("project"), collections)
    project.write(
        "ansible.cfg",
        f"[defaults]\ncollections_path = {collections}\ninventory = inventory\n"
        f"interpreter_python = {sys.executable}\ncallbacks_enabled = roost.cluster.phases\n",
    )
    installed = collections / "ansible_collections" / "roost" / "cluster"
    shutil.copytree(installed / "inventory", project.folder / "inventory")
    return project


def test_the_tarball_has_what_users_need_and_nothing_else(project: Project) -> None:
    (built,) = project.collections.glob("*.tar.gz")
    with tarfile.open(built) as tar:
        names = tar.getnames()
    assert {name.split("/")[0] for name in names} == CONTENT
    hidden = re.compile(r"(^|/)(\.[^/]|__pycache__|tests/)|\.(pyc|d2|tar\.gz)$")
    assert [name for name in names if hidden.search(name)] == []
    tracked = subprocess.run(
        ["git", "ls-files", "plugins", "roles", "meta"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(tracked) <= set(names)


def test_it_says_what_it_depends_on(project: Project) -> None:
    installed = project.collections / "ansible_collections" / "roost" / "cluster"
    told = json.loads((installed / "MANIFEST.json").read_text())["collection_info"]
    assert list(told["dependencies"]) == ["kubernetes.core"]
    assert told["license"] == ["GPL-3.0-or-later"]


def test_ansible_doc_lists_roles_and_plugins(project: Project) -> None:
    found = {}
    for kind in ("module", "role", "filter", "lookup"):
        done = project.run("doc", "--list", "--json", "-t", kind, "roost.cluster")
        assert done.returncode == 0, done.stderr
        found[kind] = [name.removeprefix("roost.cluster.") for name in json.loads(done.stdout)]
    assert sorted(found["role"]) == ROLES
    modules = sorted(path.stem for path in (REPOSITORY / "plugins" / "modules").glob("*.py"))
    assert sorted(found["module"]) == modules
    assert "nameservers" in found["filter"]
    assert found["lookup"] == ["istio_objects"]


PLAY: dict[str, Any] = {
    "name": "Everything by its full name",
    "hosts": "localhost",
    "connection": "local",
    "gather_facts": False,
    "module_defaults": {"group/roost.cluster.kubernetes": {"kubeconfig": "admin.conf"}},
    "tasks": [
        {
            "name": "Role",
            "ansible.builtin.import_role": {"name": "roost.cluster.node"},
            "vars": {"node_swap": "ignore", "node_hosts": {"roost-test": "192.0.2.7"}},
        },
        {
            "name": "Module",
            "roost.cluster.preflight": {"report_only": True},
            "register": "machine",
        },
        {
            "name": "Action",
            "roost.cluster.kubeconfig": {"src": "admin.conf", "dest": "copied.conf"},
        },
        {
            "name": "Defaults of the group",
            "roost.cluster.objects_ready": {"nodes": ["control"]},
        },
        {
            "name": "Filter and lookup",
            "ansible.builtin.debug": {
                "msg": {
                    "servers": "{{ ['resolv.conf'] | roost.cluster.nameservers('192.0.2.1') }}",
                    "objects": "{{ lookup('roost.cluster.istio_objects', values, istioctl=tool) }}",
                    "hostname": "{{ machine.facts.hostname }}",
                }
            },
        },
    ],
}


def test_a_playbook_elsewhere_uses_all_of_it(project: Project) -> None:
    project.write("admin.conf", "apiVersion: v1\n")
    # Stands for the one that the bundle has.
    tool = project.write("istioctl", "#!/bin/sh\necho 'kind: Namespace\nmetadata: {name: x}'\n")
    tool.chmod(0o755)
    project.write("play.yml", [{**PLAY, "vars": {"tool": str(tool), "values": values("stock")}}])
    done = project.run("playbook", "--check", "--diff", "play.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "roost-test" in done.stdout
    for shown in ('"192.0.2.1"', '"istio-system"', f'"hostname": "{os.uname().nodename}"'):
        assert shown in done.stdout
    assert "phase 1: Everything by its full name" in done.stdout


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_playbooks_are_found_by_their_full_names(name: str, project: Project) -> None:
    done = project.run("playbook", f"roost.cluster.{name}", "--syntax-check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_bundle_the_playbooks_say_what_to_do(project: Project) -> None:
    cache = project.folder / "no-bundle"
    done = project.run("playbook", "roost.cluster.site", "--check", ROOST_CACHE=str(cache))
    assert done.returncode == 2, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert "`make setup` in a checkout of Roost fills it" in last
    assert f"Expected {cache}/bundle.lock, found nothing there" in last


def test_a_mistyped_variable_is_refused(project: Project) -> None:
    done = project.run("playbook", "roost.cluster.cluster", "-e", "kubernetes_verion=v1.36.3")
    assert done.returncode == 2, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert "kubernetes_verion: unknown; did you mean kubernetes_version? (set with -e)" in last


def test_what_the_documentation_shows_is_valid(project: Project) -> None:
    (play,) = re.findall(
        r"```yaml\n(.*?)```", (REPOSITORY / "docs/collection.md").read_text(), re.S
    )
    project.write("shown.yml", play)
    done = project.run("playbook", "shown.yml", "--syntax-check")
    assert done.returncode == 0, done.stdout + done.stderr
