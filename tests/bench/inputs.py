# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the shell script works with: the files, documents and objects that site.yml would use.

They are taken from a check run on bare machines, so both sides are given the same by construction.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.documents import as_text
from ansible_collections.roost.cluster.plugins.module_utils.node import (
    hosts,
    store_layout,
    sysctls,
)

from tests.bench import cluster
from tests.bench.cluster import BenchError, Machine
from tests.conftest import REPOSITORY

Asked = dict[str, Any]
NODE_STATE = "roost.cluster.node_state"
BINARY = ("path", "repository", "blob", "sha256")
SITE = ["ansible-playbook", "playbooks/site.yml", "--skip-tags", "verify"]
CACHE = Path(os.environ.get("ROOST_CACHE") or Path.home() / ".cache" / "roost")
# The stages of a first release that have objects: all but the weights, and the weights.
INSTALL, WEIGHTS = "install", "weights"
RECORDER = """#!/bin/sh
tee {operator} | {istioctl} "$@"
"""


def write(folder: Path, machines: list[Machine], log: Path) -> None:
    """Fill `folder` for the script, by a check run on these machines."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    asked = _ask(folder, log)
    control, *workers = machines
    (folder / "ssh_config").write_text("".join(map(_ssh, machines)))
    registry = _store(folder, asked, control.name)
    for machine in machines:
        _node(folder / "nodes" / machine.name, asked, machine.name)
    _documents(folder, asked, control.name, [worker.name for worker in workers])
    _objects(folder, asked)
    settings = {
        "control": control.name,
        "workers": " ".join(worker.name for worker in workers),
        "registry": registry,
        "store": str(CACHE / "store"),
        "kubectl": _bundled("kubectl"),
        "istioctl": _bundled("istioctl"),
        "kubeconfig": str(folder / "kubeconfig"),
        "app": f"http://{workers[0].address}:30080/api/version",
    }
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in settings.items()]
    (folder / "settings").write_text("".join(lines))


def _bundled(name: str) -> str:
    return cluster.run([sys.executable, "-m", "bundle", "path", name]).strip()


def _ask(folder: Path, log: Path) -> list[Asked]:
    """What each module was asked for; istioctl's input is kept as well."""
    recorder, lines = folder / "istioctl", folder / "asked.jsonl"
    operator = shlex.quote(str(folder / "operator.json"))
    recorder.write_text(RECORDER.format(operator=operator, istioctl=_bundled("istioctl")))
    recorder.chmod(0o755)
    cluster.run(
        [*SITE, "--check", "-e", f"istio_istioctl={recorder}"],
        log,
        ANSIBLE_CALLBACK_PLUGINS=str(REPOSITORY / "tests" / "bench" / "callback"),
        ANSIBLE_CALLBACKS_ENABLED="asked",
        ROOST_BENCH_ASKED=str(lines),
    )
    return [json.loads(line) for line in lines.read_text().splitlines()]


def _arguments(asked: list[Asked], role: str, module: str, host: str) -> Any:
    for call in asked:
        if (call["role"], call["module"], call["host"]) == (role, module, host):
            return call["arguments"]
    raise BenchError(f"the check run didn't call {module} in the role {role} on {host}")


def _ssh(machine: Machine) -> str:
    """The connection that Ansible makes: one for each machine, kept open."""
    options = shlex.split(machine.ssh_options)[1::2]
    lines = [
        f"HostName {machine.address}",
        f"User {machine.user}",
        f"IdentityFile {machine.key}",
        "ControlMaster auto",
        "ControlPersist 60s",
        f"ControlPath {Path.home()}/.ansible/cp/bench-%C",
        *(option.replace("=", " ", 1) for option in options),
    ]
    return f"Host {machine.name}\n" + "".join(f"  {line}\n" for line in lines)


def _store(folder: Path, asked: list[Asked], control: str) -> str:
    """Which files of the bundle's store the registry gets; returns the registry's address."""
    lock = store_layout.read_lock(CACHE / "bundle.lock")
    names = [name for name, component in lock.items() if component["where"] == "nodes"]
    held = store_layout.contents(CACHE / "store", lock, names)
    paths = [
        *map(store_layout.blob_path, held.blobs),
        *(f"{store_layout.REGISTRY}/{path}" for path in held.links),
    ]
    (folder / "store-files").write_text("".join(f"{path}\n" for path in sorted(paths)))
    given = _arguments(asked, "registry", NODE_STATE, control)
    _lay_out(folder / "registry", given)
    return str(_arguments(asked, "kubelet", NODE_STATE, control)["registry"])


def _node(folder: Path, asked: list[Asked], name: str) -> None:
    prepared = _arguments(asked, "node", NODE_STATE, name)
    for role in ("container_runtime", "kubelet"):
        _lay_out(folder, _arguments(asked, role, NODE_STATE, name))
    files = {
        "etc/modules-load.d/roost.conf": "\n".join(prepared["kernel_modules"]) + "\n",
        "etc/sysctl.d/90-roost.conf": sysctls.persisted_text(prepared["sysctls"]),
        "root/hosts": hosts.block(prepared["hosts_entries"]),
    }
    for path, content in files.items():
        _put(folder / path, content)


def _lay_out(folder: Path, given: Mapping[str, Any]) -> None:
    """A tree of the files that a node gets, and the list of the binaries that it fetches."""
    for item in given["files"]:
        _put(folder / item["path"].lstrip("/"), item["content"])
    for item in given["directories"] or []:
        (folder / item["path"].lstrip("/")).mkdir(parents=True, exist_ok=True)
    listed = folder / "root" / "binaries"
    listed.parent.mkdir(parents=True, exist_ok=True)
    with listed.open("a") as out:
        for item in given["binaries"]:
            out.write(" ".join(item[key] for key in BINARY) + "\n")


def _put(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def _documents(folder: Path, asked: list[Asked], control: str, workers: list[str]) -> None:
    """kubeadm's documents; the script writes token and hash into those for a join."""
    given = _arguments(asked, "control_plane", "roost.cluster.control_plane", control)
    (folder / "init.yml").write_text(as_text(given["documents"]))
    for worker in workers:
        document = _arguments(asked, "worker", "roost.cluster.worker", worker)["document"]
        document["discovery"]["bootstrapToken"] |= {"token": "TOKEN", "caCertHashes": ["HASH"]}
        (folder / f"join-{worker}.yml").write_text(as_text([document]))


def _objects(folder: Path, asked: list[Asked]) -> None:
    network = _arguments(asked, "pod_network", "roost.cluster.objects_apply", "localhost")
    stages = next(call["stages"] for call in asked if call["stages"])
    by_name = {stage["name"]: stage["objects"] for stage in stages}
    weights = by_name[WEIGHTS]
    routes = {item["metadata"]["name"] for item in weights}
    # Nobody asks before the last step, so a person would apply the gateway's route once.
    install = [item for item in by_name[INSTALL] if item["metadata"]["name"] not in routes]
    for name, items in (
        ("flannel", network["objects"]),
        ("release", install),
        ("weights", weights),
    ):
        listed = {"apiVersion": "v1", "kind": "List", "items": items}
        (folder / f"{name}.json").write_text(json.dumps(listed))
    made = [item["metadata"] for item in install if item["kind"] == "Deployment"]
    lines = [f"{item['namespace']} {item['name']}\n" for item in made]
    (folder / "deployments").write_text("".join(lines))
