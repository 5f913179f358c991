# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""flannel's objects: what is configured reaches it, and starts its pods anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.unit.playbook import run_playbook, shown

REPOSITORY = Path(__file__).resolve().parents[3]
TEMPLATE = REPOSITORY / "roles" / "pod_network" / "templates" / "flannel.yml.j2"
BASE = {"pod_network_image": "flannel:v1", "pod_network_cidr": "10.244.0.0/16"}


def rendered(folder: Path, *given: dict[str, Any]) -> list[tuple[Any, str]]:
    """For each set of options flannel's network configuration and the mark of its pods."""
    variables = [{f"pod_network_{key}": each[key] for key in each} for each in given]
    # As the role has it, but for all of them in one task.
    rendered = [
        f"{{{{ lookup('ansible.builtin.template', '{TEMPLATE}', template_vars=given[{n}]) }}}}"
        for n in range(len(given))
    ]
    task = {"name": "Render", "ansible.builtin.debug": {"msg": rendered}}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {**BASE, "given": variables},
        "tasks": [task],
    }
    playbook = folder / "playbook.yml"
    playbook.write_text(yaml.safe_dump([play]))
    done = run_playbook(playbook, "--inventory=localhost,", "--connection=local")
    found = []
    for text in shown(done):
        objects = list(yaml.safe_load_all(text))
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
