# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollouts on the cluster of the end-to-end tests, under requests at a constant rate."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.roost.cluster.plugins.module_utils.release import envoy_filters
from ansible_collections.roost.cluster.plugins.module_utils.release.envoy_filters import Fault
from ansible_collections.roost.cluster.plugins.module_utils.release.spec import read
from ansible_collections.roost.cluster.plugins.module_utils.traffic.load import Plan, Sample
from ansible_collections.roost.cluster.plugins.module_utils.traffic.steady import Steady
from ansible_collections.roost.cluster.plugins.module_utils.traffic.summary import (
    Summary,
    summarize,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import Document

from tests.command import REPOSITORY, Ran
from tests.e2e.conftest import CONFIDENCE, OPTIONS, SETTINGS, URL, kubectl, make_up, run

NAMESPACE = RELEASE = "digits"
IMAGES = {
    "app_image": "roost.internal/digits-app:{}",
    "model_image": "roost.internal/digits-model-service:{}",
}
VERSION_HEADER, MODEL_HEADER = "x-app-version", "x-model-version"
LINES_WITHIN = 180.0
# Settings by which it is decided at once, for tests of something else than decisions.
QUICK = {"failure_margin": 0.5, "latency_margin": 6, "minimum_requests": 20, "look_seconds": 2}


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """A running cluster. One that was there before stays there."""
    there = run("python3", "host/nodes.py", "status", "--quiet").code == 0
    try:
        if not there:
            assert make_up().code == 0
        yield
    finally:
        if not there:
            run("make", "down")


@pytest.fixture
def release(cluster: None) -> None:
    """What each of the longer tests begins with."""
    as_the_file_says()


def playbook(name: str, **variables: object) -> Ran:
    return run("ansible-playbook", f"playbooks/{name}.yml", *extra(variables))


def site() -> Ran:
    """As the cluster was made."""
    options = ("-e", CONFIDENCE, "-e", f"@{OPTIONS}")
    return run("ansible-playbook", "playbooks/site.yml", *options)


def extra(variables: dict[str, Any]) -> list[str]:
    if not variables:
        return []
    # As JSON, so that numbers stay numbers.
    return ["-e", json.dumps(variables)]


def rollout(version: str, *arguments: str, **variables: object) -> Ran:
    """`-e version=…`, with images for a version that the file doesn't list."""
    given: dict[str, Any] = {"version": version, **variables}
    if version not in ("v1", "v2"):
        given |= {key: image.format(version) for key, image in IMAGES.items()}
    return run("ansible-playbook", "playbooks/rollout.yml", *extra(given), *arguments)


def file(**changes: object) -> dict[str, Any]:
    """The release as the file describes it, with some keys in another way."""
    text = (REPOSITORY / "inventory/group_vars/all/release.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)["release"]
    return {**found, **changes}


def kubectl_plain(*arguments: str, given: str = "") -> str:
    """What kubectl says, told `given` on its standard input."""
    binary = run("python", "-m", "bundle", "path", "kubectl").output.strip()
    kubeconfig = REPOSITORY / ".roost" / SETTINGS["ROOST_CLUSTER"] / "kubeconfig"
    words = [binary, f"--kubeconfig={kubeconfig}", "--namespace", NAMESPACE, *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=True, input=given)
    return done.stdout


@contextmanager
def broken(version: str, fault: Fault) -> Iterator[None]:
    """A version of the app that fails on its own side, also before it has pods."""
    found, problems = read(file())
    assert found, problems
    item = envoy_filters.fault(found, "app", version, fault)
    kubectl_plain("apply", "-f", "-", given=json.dumps(item))
    try:
        yield
    finally:
        kubectl_plain("delete", "envoyfilter", item["metadata"]["name"], "--ignore-not-found")


def weights() -> dict[str, int]:
    """What the gateway's route draws."""
    route = kubectl("get", "virtualservice", f"{RELEASE}-gateway", "--namespace", NAMESPACE)
    drawn = next(rule for rule in route["spec"]["http"] if rule["name"] == "weights")["route"]
    return {item["destination"]["subset"]: item.get("weight", 100) for item in drawn}


def deployments() -> set[str]:
    items = kubectl("get", "deployments", "--namespace", NAMESPACE)["items"]
    return {item["metadata"]["name"] for item in items}


def as_the_file_says() -> None:
    """Nobody steers, and what is live is what the file describes: v1, with v2 at 10%."""
    kubectl_plain("delete", "configmap,lease", f"roost-{RELEASE}", "--ignore-not-found")
    # Without a record the file is applied as on a first run.
    for key in ("release", "progress"):
        kubectl_plain("annotate", "virtualservice", f"{RELEASE}-gateway", f"roost.cluster/{key}-")
    assert playbook("release").code == 0
    assert weights() == {"v1": 90, "v2": 10}


def state() -> Document:
    """The last rollout as the cluster has it."""
    found = kubectl("get", "configmap", f"roost-{RELEASE}", "--namespace", NAMESPACE)
    return Document.from_dict(json.loads(found["data"]["rollout"]))


@dataclass
class Traffic:
    """Requests at a constant rate, and what came of them."""

    steady: Steady
    began: float = field(default_factory=time.time)

    @property
    def samples(self) -> list[Sample]:
        return sorted(self.steady.samples, key=lambda sample: sample.at)

    @property
    def summary(self) -> Summary:
        return summarize(self.samples, self.steady.plan, time.time() - self.began)

    def go_on_until(self, requests: int) -> None:
        """Wait until about so many were sent."""
        rate = self.steady.plan.rate or 1.0
        time.sleep(max(0.0, self.began + requests / rate + 1.0 - time.time()))  # they are due then

    @property
    def bad(self) -> list[Sample]:
        """What a broken version answered: the fault's own answers name no version."""
        return [sample for sample in self.samples if (sample.status or 0) >= 500]

    def last_of(self, version: str) -> float:
        """When a version gave its last answer, good or bad, in seconds since 1970."""
        own = [sample for sample in self.samples if sample.app == version]
        return max(sample.at for sample in [*own, *self.bad])


@contextmanager
def traffic(rate: float, path: str = "/api/version") -> Iterator[Traffic]:
    plan = Plan(
        url=f"{URL}{path}",
        requests=1,
        time_limit=1.0,
        concurrency=64,
        rate=rate,
        timeout=10.0,
        app_header=VERSION_HEADER,
        model_header=MODEL_HEADER,
    )
    with Steady(plan) as steady:
        yield Traffic(steady)


class Running:
    """A playbook that runs, whose lines can be awaited, and that can be killed."""

    def __init__(self, name: str, variables: dict[str, Any]) -> None:
        self._out = tempfile.NamedTemporaryFile("r", suffix=".log")  # noqa: SIM115  as long as the object
        words = ["ansible-playbook", f"playbooks/{name}.yml", *extra(variables)]
        environment = {**run_environment(), **SETTINGS}
        with Path(self._out.name).open("w") as out:
            self.process = subprocess.Popen(
                words,
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                # A process group of its own, as a terminal would give it.
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return Path(self._out.name).read_text()

    def await_line(self, text: str) -> None:
        until = time.monotonic() + LINES_WITHIN
        while text not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < until, f"no '{text}' in:\n{self.output}"
            time.sleep(0.1)  # polled: it is another process's file

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(30)

    def wait(self) -> Ran:
        code = self.process.wait(600)
        print(self.output)
        return Ran(code, self.output)


@contextmanager
def running(name: str, **variables: object) -> Iterator[Running]:
    found = Running(name, variables)
    try:
        yield found
    finally:
        if found.process.poll() is None:
            found.end(signal.SIGINT)


def run_environment() -> dict[str, str]:
    return {
        **os.environ,
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_FORCE_COLOR": "false",
        "PYTHONUNBUFFERED": "1",
    }


def seconds_of(stamp: str) -> float:
    """A time of a rollout's document, in seconds since 1970."""
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
