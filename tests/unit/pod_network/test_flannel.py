# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""flannel's objects: what is configured reaches it, and starts its pods anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.unit.playbook import run_playbook

REPOSITORY = Path(__file__).resolve().parents[3]
TEMPLATE = REPOSITORY / "roles" / "pod_network" / "templates" / "flannel.yml.j2"
BASE = {"pod_network_image": "flannel:v1", "pod_network_cidr": "10.244.0.0/16"}


def rendered(folder: Path, *given: dict[str, Any]) -> list[tuple[Any, str]]:
    """For each set of options flannel's network configuration and the mark of its pods."""
    task = {
        "name": "Render",
        "ansible.builtin.template": {"src": str(TEMPLATE), "dest": "{{ item.dest }}"},
        "vars": {"pod_network_" + key: f"{{{{ item.{key} }}}}" for key in given[0]},
        "loop": [{**each, "dest": str(folder / f"{n}.yml")} for n, each in enumerate(given)],
    }
    play = {"hosts": "localhost", "gather_facts": False, "vars": BASE, "tasks": [task]}
    playbook = folder / "playbook.yml"
    playbook.write_text(yaml.safe_dump([play]))
    done = run_playbook(playbook, "--inventory=localhost,", "--connection=local")
    assert done.returncode == 0, done.stdout + done.stderr
    found = []
    for number in range(len(given)):
        objects = list(yaml.safe_load_all((folder / f"{number}.yml").read_text()))
        [config] = [each for each in objects if each["kind"] == "ConfigMap"]
        [daemons] = [each for each in objects if each["kind"] == "DaemonSet"]
        annotations = daemons["spec"]["template"]["metadata"]["annotations"]
        network = json.loads(config["data"]["net-conf.json"])
        found.append((network, annotations["roost.cluster/network"]))
    return found


def test_backend_and_its_options_reach_flannel_and_its_pods(tmp_path: Path) -> None:
    plain, again, tuned = rendered(
        tmp_path,
        {"backend": "host-gw", "backend_options": {}},
        {"backend": "host-gw", "backend_options": {}},
        {"backend": "vxlan", "backend_options": {"Port": 4789, "DirectRouting": True}},
    )
    assert plain[0] == {"Network": "10.244.0.0/16", "Backend": {"Type": "host-gw"}}
    assert tuned[0]["Backend"] == {"Type": "vxlan", "Port": 4789, "DirectRouting": True}
    assert plain[1] == again[1] != tuned[1]
