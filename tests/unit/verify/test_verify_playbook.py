# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""playbooks/verify.yml where checks break: the others still run, and each is a failed promise."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from tests.unit.playbook import run_playbook
from tests.unit.traffic.fake_app import release

REPOSITORY = Path(__file__).resolve().parents[3]


def test_each_broken_check_is_a_failed_promise_on_the_last_lines(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "playbooks" / "verify.yml", tmp_path)
    shutil.copytree(REPOSITORY / "playbooks" / "tasks", tmp_path / "tasks")
    unreachable = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    crashing = {"ansible_connection": "local", "ansible_python_interpreter": "/bin/false"}
    inventory = {
        "cluster": {
            "children": {
                "control_plane": {"hosts": {"control": crashing}},
                "workers": {"hosts": {"worker-1": unreachable}},
            },
            "vars": {"ansible_become": False, "node_ip": "127.0.0.1"},
        },
        "all": {
            "vars": {
                "roost_kubeconfig": "/nonexistent/kubeconfig",
                "roost_app_url": "http://127.0.0.1:1",
                "bundle": {"kubelet": {"version": "v1.36.3"}},
                "cluster_domain": "cluster.local",
                "release": release(tls={"self_signed": True}),
                "istio_gateway_https_node_port": 30443,
                # A template's value is seen when it is used; another one would be refused at once.
                "verify_concurrency": "{{ 'a thousand' }}",
            }
        },
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory))
    run = run_playbook(
        tmp_path / "verify.yml",
        "-i",
        "hosts.yml",
        ANSIBLE_CALLBACKS_ENABLED="roost.cluster.phases",
    )
    assert run.returncode == 2, run.stdout + run.stderr
    last = run.stdout.splitlines()[-6:]
    for line, (name, found) in zip(
        last,
        (
            ("pull check ran on control", "expected a result"),
            ("pull check ran on worker-1", "port 1"),
            ("the API answers", "/nonexistent/kubeconfig"),
            ("split check ran", "a thousand"),
            ("https check ran", "/nonexistent/kubeconfig"),
            ("https split check ran", "it did not run"),
        ),
    ):
        assert line.strip().startswith(f"promise failed: {name}: "), "\n".join(last)
        assert found in line
