# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From nothing to a measured canary and back to nothing, as a person does it.

The tests stand in the order in which they run: up, measured, again, in a browser, down.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import stat
import time
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from playwright.sync_api import expect, sync_playwright

from samples.app.tests.drawing import CHROMIUM, DIGITS, FLAGS, draw
from tests.command import REPOSITORY, Ran
from tests.e2e.conftest import (
    CONFIDENCE,
    HOSTS,
    OPTIONS,
    PLAN,
    SETTINGS,
    URL,
    docker,
    kernel_settings,
    kubectl,
    left_over,
    make_up,
    run,
)
from tests.plans import Plan, read

SECOND_UP_SECONDS = 60
SECOND_SITE_SECONDS = 30
# What site.yml costs grows with these, on each machine. One more looks at where the plan goes that
# is asked for here.
FIRST_CALLS, SECOND_CALLS = 35 + 1, 15 + 1


def test_make_up_ends_with_where_things_are_and_what_was_measured(cluster: Ran) -> None:
    assert cluster.code == 0
    assert f"app         {URL}/" in cluster.output
    kubeconfig = REPOSITORY / ".roost" / SETTINGS["ROOST_CLUSTER"] / "kubeconfig"
    assert f"kubeconfig  {kubeconfig}" in cluster.output
    assert "split       v2: " in cluster.output
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600


def module_calls() -> dict[str, int]:
    """Of the last run of site.yml, by host."""
    timings = REPOSITORY / ".roost" / SETTINGS["ROOST_CLUSTER"] / "timings.json"
    calls: dict[str, int] = json.loads(timings.read_text())["module_calls"]
    assert set(calls) == {*HOSTS, "localhost"}
    return calls


def test_a_first_run_makes_few_module_calls(cluster: Ran) -> None:
    assert max(module_calls().values()) <= FIRST_CALLS


def test_every_change_of_a_real_run_has_its_reason(cluster: Ran) -> None:
    plan = read(PLAN)
    assert plan.document["check_mode"] is False
    assert set(plan.document["hosts"]) == {*HOSTS, "localhost"}
    assert {change["what"] for change in plan.of("localhost", "istio")} >= {
        "Namespace istio-system",
        "Deployment istio-system/istiod",
    }


def test_every_promise_holds(cluster: Ran) -> None:
    verified = run("ansible-playbook", "playbooks/verify.yml", "-e", CONFIDENCE)
    assert verified.code == 0
    assert "0 mixed of 5000" in verified.output


def test_a_wrong_release_is_refused_before_anything_is_applied(
    cluster: Ran, tmp_path: Path
) -> None:
    before = revisions()
    wrong = tmp_path / "release.yml"
    wrong.write_text((REPOSITORY / "inventory/group_vars/all/release.yml").read_text())
    wrong.write_text(wrong.read_text().replace("weight: 10", "weight: 10.5"))
    assert "10.5" in wrong.read_text()
    refused = run("ansible-playbook", "playbooks/release.yml", "-e", f"@{wrong}")
    assert refused.code != 0
    assert "canary.weight" in refused.output
    assert revisions() == before


def revisions() -> dict[str, str]:
    """What Kubernetes counts up when an object of the release changes."""
    kinds = "deployments,services,virtualservices,destinationrules"
    items = kubectl("get", kinds, "--namespace", "digits")["items"]
    assert len(items) > 8
    return {
        f"{item['kind']}/{item['metadata']['name']}": str(item["metadata"].get("generation"))
        for item in items
    }


def processes() -> dict[str, object]:
    """When each container of a node or a pod was started, and how often."""
    pods = kubectl("get", "pods", "--all-namespaces")["items"]
    started: dict[str, object] = {
        pod["metadata"]["uid"]: [
            (item["name"], item["containerID"], item["restartCount"])
            for item in pod["status"]["containerStatuses"]
        ]
        for pod in pods
    }
    for host in HOSTS:
        name = f"roost-{SETTINGS['ROOST_CLUSTER']}-{host}"
        units = ["containerd.service", "kubelet.service", "roost-registry.service"]
        show = ["systemctl", "show", "--property=MainPID", *units]
        started[host] = docker("exec", name, *show) + docker(
            "inspect", "--format", "{{.State.StartedAt}}", name
        )
    return started


def test_a_second_run_changes_nothing_and_restarts_nothing(cluster: Ran) -> None:
    before = processes()
    began = time.monotonic()
    again = make_up()
    seconds = time.monotonic() - began
    assert again.code == 0
    assert set(again.recap) == {*HOSTS, "localhost"}
    assert {host: counts["changed"] for host, counts in again.recap.items()} == dict.fromkeys(
        again.recap, 0
    )
    assert read(PLAN).changes == []
    assert max(module_calls()[host] for host in HOSTS) <= SECOND_CALLS
    assert processes() == before
    site = next(line for line in again.output.splitlines() if line.startswith("cluster, mesh"))
    print(f"second make up {seconds:.0f} s, site.yml {site.split()[-1]} s")
    assert seconds < SECOND_UP_SECONDS
    assert float(site.split()[-1]) <= SECOND_SITE_SECONDS


def test_options_reach_the_cluster(cluster: Ran) -> None:
    """That it runs at all shows that images come from the bundle, around proxy and mirror."""
    for node in kubectl("get", "nodes")["items"]:
        assert node["status"]["capacity"]["pods"] == "60"
        kept = memory(node["status"]["capacity"]) - memory(node["status"]["allocatable"])
        # Reserved for the system, and what is left free for evictions.
        assert kept == (64 + 100) * 1024
    flannel = kubectl("get", "configmap", "flannel", "--namespace=kube-flannel")["data"]
    assert json.loads(flannel["net-conf.json"])["Backend"] == {"Type": "vxlan", "Port": 4789}
    mesh = kubectl("get", "configmap", "istio", "--namespace=istio-system")["data"]["mesh"]
    assert yaml.safe_load(mesh)["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}
    gateway = kubectl("get", "deployment", "istio-ingressgateway", "--namespace=istio-system")
    annotations = gateway["spec"]["template"]["metadata"]["annotations"]
    assert annotations["example.org/team"] == "e2e"


def memory(resources: dict[str, str]) -> int:
    """In KiB."""
    number, unit = resources["memory"][:-2], resources["memory"][-2:]
    return int(number) * 1024 ** ("Ki", "Mi", "Gi").index(unit)


def test_the_api_goes_by_its_extra_name(cluster: Ran) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("192.168.58.100", 6443), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="api.e2e.example") as secure,
    ):
        certificate = secure.getpeercert(binary_form=True)
    assert certificate
    names = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert "api.e2e.example" in names.value.get_values_for_type(x509.DNSName)


def plan_of(tmp_path: Path) -> Plan:
    """What a check run of the whole says of the running cluster."""
    target = os.path.relpath(tmp_path / "plan.json", REPOSITORY)
    site = ("playbooks/site.yml", "--check", "--diff", "-e", f"plan_file={target}")
    checked = run("ansible-playbook", *site, "-e", f"@{OPTIONS}")
    assert checked.code == 0
    return read(tmp_path / "plan.json")


def test_one_drifted_setting_is_the_only_one_in_the_plan(cluster: Ran, tmp_path: Path) -> None:
    worker = f"roost-{SETTINGS['ROOST_CLUSTER']}-worker-2"
    file = "/etc/containerd/config.toml"
    spoil = "s/SystemdCgroup = true/SystemdCgroup = false/"
    docker("exec", worker, "cp", "--preserve", file, "/run/before")
    docker("exec", worker, "sed", "--in-place", spoil, file)
    try:
        plan = plan_of(tmp_path)
    finally:
        docker("exec", worker, "cp", "--preserve", "/run/before", file)
    assert plan.changes == [("worker-2", "container_runtime", file)]
    [change] = plan.of("worker-2", "container_runtime")
    assert change["why"] == "SystemdCgroup false → true; containerd.service restarts"


def test_the_plan_of_an_unchanged_cluster_is_empty(cluster: Ran, tmp_path: Path) -> None:
    assert plan_of(tmp_path).changes == []


def test_a_digit_drawn_in_a_browser_is_read(cluster: Ran) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.goto(URL)
        draw(page, DIGITS[0])
        expect(page.locator("#answer")).to_have_text("0")
        version = page.locator("#app-version").inner_text()
        assert version in ("v1", "v2")
        assert page.locator("#model-version").inner_text() == version
        browser.close()


def test_make_down_leaves_nothing(host_before: dict[str, str], cluster: Ran) -> None:
    assert left_over()["containers"], "the cluster is there before"
    assert run("make", "down").code == 0
    after = kernel_settings()
    both = host_before.keys() & after.keys()  # a module that was loaded brings its own
    assert len(both) > 100
    assert {name: after[name] for name in both} == {name: host_before[name] for name in both}
    # Which is gone as well if `make up` had started it and nobody else uses it.
    assert run("host/docker_engine", "start").code == 0
    assert left_over() == {"containers": [], "networks": [], "volumes": []}
    assert not (REPOSITORY / ".roost" / SETTINGS["ROOST_CLUSTER"] / "kubeconfig").exists()


@pytest.mark.parametrize("name", ["bundle.lock", "store"])
def test_the_bundle_stays(cluster: Ran, name: str) -> None:
    cache = Path(os.environ.get("ROOST_CACHE", Path.home() / ".cache" / "roost"))
    assert (cache / name).exists()
