# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the first play refuses, with a bundle as an installed collection has it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.playbook import run_playbook

REPOSITORY = Path(__file__).resolve().parents[3]
HELD = {"kube-apiserver": {"version": "v1.36.3"}, "istio-pilot": {"version": "1.31.0"}}
# Nobody listens there, so a run that gets that far ends with it.
NO_MACHINE = ("-e", "ansible_host=127.0.0.1", "-e", "ansible_port=1")


def start(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """playbooks/start.yml outside the checkout."""
    for name in ("playbooks", "inventory"):
        shutil.copytree(REPOSITORY / name, folder / name, symlinks=True)
    (folder / "inventory" / "settings.roost.yml").unlink()
    (folder / "bundle.lock").write_text(json.dumps({"components": HELD}))
    return run_playbook(
        folder / "playbooks" / "start.yml",
        *("--inventory=../inventory", *NO_MACHINE, *options),
        ROOST_CACHE=str(folder),
        ANSIBLE_CALLBACKS_ENABLED="roost.cluster.phases",
    )


@pytest.mark.parametrize(
    "options",
    [
        (),
        (
            *("-e", "kubernetes_version=1.36.3", "-e", "api_endpoint=localhost:443"),
            *("-e", "istio_gateway_http_node_port=31080"),
        ),
    ],
)
def test_it_goes_on_to_the_machines(options: tuple[str, ...], tmp_path: Path) -> None:
    done = start(tmp_path, *options)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "no machine of the cluster answers" in done.stdout


def test_it_stops_before_machines_where_options_can_not_be_kept(tmp_path: Path) -> None:
    done = start(tmp_path, "-e", "kubernetes_version=v1.37.2", "-e", "api_endpoint=api")
    assert done.returncode == 2, done.stdout + done.stderr
    last = done.stdout.splitlines()[-3:]
    assert last[0].strip() == "nothing was changed, because:"
    assert "kubernetes_version: expected v1.37.2, and the bundle holds v1.36.3" in last[1]
    assert "api_endpoint: expected ADDRESS:PORT" in last[2]
