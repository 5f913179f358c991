# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""At which machine site.yml measures the split where there is no address on this one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.unit.playbook import run_playbook, shown

SITE = Path(__file__).resolve().parents[3] / "playbooks" / "site.yml"


@pytest.mark.parametrize(
    ("workers", "reached", "asked"),
    [
        (["worker-1", "worker-2"], ["control", "worker-2", "worker-1"], "worker-1"),
        (["worker-1", "worker-2"], ["control", "worker-2"], "worker-2"),
        ([], ["control"], "control"),
        # The play alone, by its tag.
        (["worker-1", "worker-2"], [], "worker-1"),
    ],
)
def test_it_is_the_first_worker_that_the_run_has_reached(
    tmp_path: Path, workers: list[str], reached: list[str], asked: str
) -> None:
    listed = {"control_plane": ["control"], "workers": workers, "nodes_of_this_run": reached}
    groups = {name: {"hosts": dict.fromkeys(hosts, {})} for name, hosts in listed.items() if hosts}
    groups |= {"cluster": {"children": dict.fromkeys(("control_plane", "workers"), {})}}
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"workers": {}, **groups}))
    [verify] = [play for play in yaml.safe_load(SITE.read_text()) if play["name"] == "Verify"]
    tasks = [{"ansible.builtin.debug": {"msg": "{{ __verify_node }}"}}]
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(yaml.safe_dump([{**verify, "tasks": tasks}]))
    ran = run_playbook(playbook, "-i", str(inventory), ANSIBLE_INVENTORY_ENABLED="yaml")
    assert shown(ran) == asked
