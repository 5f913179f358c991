# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Mistakes in variables end a run of the real playbooks before anything is looked at."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.unit.playbook import run_playbook

REPOSITORY = Path(__file__).resolve().parents[3]
CHECK = "check_variables | Refuse variables that nobody knows"


def path_of(name: str) -> str:
    return str(REPOSITORY / "playbooks" / f"{name}.yml")


def run(
    folder: Path, name: str, *options: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A playbook with a copy of the inventory; `variables` are files of group or host variables."""
    inventory = folder / "inventory"
    shutil.copytree(REPOSITORY / "inventory", inventory)
    (inventory / "settings.roost.yml").unlink()
    for path, text in variables.items():
        kind, _, entity = path.partition("__")
        target = inventory / kind / entity
        target = target / "mine.yml" if target.is_dir() else target.with_suffix(".yml")
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    playbook = folder / "playbook.yml"
    playbook.write_text(f"- ansible.builtin.import_playbook: {path_of(name)}\n")
    return run_playbook(
        playbook,
        f"--inventory={inventory}",
        *options,
        ANSIBLE_ROLES_PATH=str(REPOSITORY / "roles"),
        ANSIBLE_CALLBACKS_ENABLED="roost.cluster.phases",
        ROOST_CACHE=str(folder / "no-bundle"),
    )


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout.count("\nTASK [") == 1
    return done.stdout.rpartition(": " + CHECK)[2]


PLAYBOOKS = [
    *("site", "cluster", "mesh", "registry", "release", "verify"),
    *("rollout", "promote", "rollback", "shift", "status", "drill"),
]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The tasks of each playbook in their order, as Ansible itself has them."""
    folder = tmp_path_factory.mktemp("tasks")
    done = run(folder, PLAYBOOKS[0], "--list-tasks", *map(path_of, PLAYBOOKS[1:]))
    assert done.returncode == 0, done.stdout + done.stderr
    _head, *parts = done.stdout.split("\nplaybook: ")
    found = {}
    for part in parts:
        path, _, plays = part.partition("\n")
        # The one that `run` has written imports the first.
        name = PLAYBOOKS[0] if path.endswith("playbook.yml") else Path(path).stem
        found[name] = re.findall(r"^      (\S.*?)\tTAGS: ", plays, re.MULTILINE)
    return found


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_each_playbook_looks_at_its_variables_first(name: str, tasks: dict[str, list[str]]) -> None:
    assert tasks[name][0] == CHECK
    [first, *_others] = yaml.safe_load(Path(path_of(name)).read_text())
    while "ansible.builtin.import_playbook" in first:
        imported = REPOSITORY / "playbooks" / first["ansible.builtin.import_playbook"]
        [first, *_others] = yaml.safe_load(imported.read_text())
    assert first["gather_facts"] is False


def test_a_mistyped_variable_is_refused(tmp_path: Path) -> None:
    """By a playbook that begins with a play of its own; one that imports others is below."""
    done = run(tmp_path, "status", "-e", "kubernetes_verion=v1.36.3")
    told = last_words(done)
    assert "kubernetes_verion: unknown; did you mean kubernetes_version? (set with -e)" in told


def test_all_mistakes_are_told_with_where_they_are(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "site",
        *("-e", "preflight_swap=sometimes"),
        group_vars__all="pod_cird: 10.0.0.0/8\nmy_site_name: lab\nnode_exporter_version: '1'\n",
        group_vars__workers="istio_gateway_replicas: two\ncontainer_runtime_miror: []\n",
        host_vars__control="node_ips: 192.0.2.1\ncontrol_plane_extra_sans: {a: b}\n",
    )
    told = last_words(done)
    for line in (
        "pod_cird: unknown; did you mean pod_cidr? (all)",
        "container_runtime_miror: unknown; did you mean container_runtime_mirrors? (group workers)",
        "node_ips: unknown; did you mean node_ip? (control)",
        "argument 'istio_gateway_replicas' is of type str and we were unable to convert to int",
        "(group workers)",
        "value of preflight_swap must be one of: off, fail, ignore, got: sometimes (set with -e)",
    ):
        assert line in told
    assert "control_plane_extra_sans" in told
    assert "my_site_name" not in done.stdout
    assert "node_exporter_version" not in told
    assert "node_exporter_version: begins like an option of the role node" in done.stderr


def test_a_value_of_the_wrong_type_is_enough(tmp_path: Path) -> None:
    done = run(tmp_path, "mesh", "-e", "istio_gateway_replicas=two")
    assert "'two'\" cannot be converted to an int (set with -e)" in last_words(done)


def test_without_mistakes_it_goes_on(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "mesh",
        *("-e", "istio_gateway_replicas=3"),
        group_vars__all="node_id: 7\nown_variables: [node_id]\nkubernetes_version: v1.36.3\n",
    )
    assert "ok: [localhost]\n\nTASK [" in done.stdout.partition(CHECK)[2]
    assert "WARNING" not in done.stderr


def test_playbooks_that_import_others_check_once(tmp_path: Path) -> None:
    """The first of two plays checks, and the other finds its result."""
    playbook = tmp_path / "playbook.yml"
    tasks = REPOSITORY / "playbooks" / "tasks" / "check_variables.yml"
    play = """
- hosts: {hosts}
  gather_facts: false
  tasks:
    - ansible.builtin.import_tasks: {tasks}
"""
    playbook.write_text("".join(play.format(hosts=h, tasks=tasks) for h in ("localhost", "a:b")))
    done = run_playbook(
        playbook,
        "--inventory=a,b,",
        ANSIBLE_LOCALHOST_WARNING="false",
        ANSIBLE_CALLBACKS_ENABLED="roost.cluster.phases",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "module calls executed: localhost 1\n" in done.stdout + "\n"
