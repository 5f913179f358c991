# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two clusters of two checkouts at once: neither notices the other, or its end.

The tests stand in the order in which they run.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace

import pytest

from host.cluster_settings import Paths
from tests.clusters.conftest import FREE, SECOND, Cluster
from tests.course import watch
from tests.e2e.conftest import docker, kernel_settings


def test_both_serve_at_their_own_addresses(both: None, first: Cluster, second: Cluster) -> None:
    for cluster in (first, second):
        assert cluster.serves()
        nodes = json.loads(cluster.kubectl("get", "nodes", "--output=json"))["items"]
        addresses = {node["status"]["addresses"][0]["address"] for node in nodes}
        prefix = cluster.settings["ROOST_SUBNET"].removesuffix(".0/24")
        assert addresses == {f"{prefix}.100", f"{prefix}.101"}


def test_memory_of_each_is_bounded(both: None, first: Cluster, second: Cluster) -> None:
    """As Docker counts it, with what nodes have just read of their images."""
    for cluster in (first, second):
        names = [name.lstrip("/") for name in cluster.containers()]
        used = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", *names)[::3]
        print(dict(zip(names, used, strict=True)))
        assert sum(map(gibibytes, used)) < 4


def gibibytes(text: str) -> float:
    """As Docker writes it: 512.3MiB."""
    return float(text[:-3]) / {"GiB": 1, "MiB": 2**10, "KiB": 2**20}[text[-3:]]


@pytest.mark.parametrize("taken", ["ROOST_CLUSTER", "ROOST_SUBNET", "ROOST_HTTP_PORT"])
def test_what_the_first_holds_is_refused_to_another(
    both: None, first: Cluster, third: Cluster, taken: str
) -> None:
    before = first.containers()
    wanting = replace(third, settings={**third.settings, taken: first.settings[taken]})
    refused = wanting.run("make", "up")
    assert refused.code != 0
    assert f"settings: {taken}: " in refused.said
    assert f"{first.settings[taken]} is taken by" in refused.said
    assert str(first.checkout) in refused.said
    assert not Paths(wanting.checkout, wanting.name).settings.exists()
    assert first.containers() == before


def test_all_that_is_taken_is_told_at_once_with_a_foreign_process(
    both: None, second: Cluster, third: Cluster
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", int(FREE["ROOST_HTTP_PORT"])))
        listener.listen()
        own = {"ROOST_SUBNET": SECOND["ROOST_SUBNET"], "ROOST_HTTPS_PORT": "18445"}
        refused = third.run("make", "up", **own)
    assert refused.code != 0
    holder = f"the cluster twin of {second.checkout}"
    assert f"ROOST_SUBNET: 192.168.60.0/24 is taken by {holder}" in refused.said
    assert f"ROOST_HTTPS_PORT: 127.0.0.1:18445 is taken by {holder}" in refused.said
    assert f"{FREE['ROOST_HTTP_PORT']} is taken by process {os.getpid()} (" in refused.said


def test_the_end_of_one_is_not_noticed_by_the_others_users(
    both: None, first: Cluster, second: Cluster
) -> None:
    before = first.containers()
    while_there = kernel_settings()

    def end() -> None:
        assert second.run("make", "down").code == 0

    course = watch(first.url, 15, end)
    print(course)
    assert second.left_over() == []
    assert first.containers() == before
    assert kernel_settings() == while_there
    assert course.requests > 500
    assert (course.before, course.failed) == (0, 0), course.kinds


def test_the_last_leaves_the_machine_as_it_was(
    both: None, host_before: dict[str, str], first: Cluster
) -> None:
    assert first.run("make", "down").code == 0
    assert kernel_settings() == host_before
    # Which is gone as well if `make up` had started it and nobody else uses it.
    assert first.run("host/docker_engine", "start").code == 0
    assert first.left_over() == []
