# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""HTTPS at the gateway: what is refused, which certificate is made when, and that keys stay where
they are."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.absent import NoCluster
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    certificates,
    names,
    objects,
    planning,
    spec,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.certificates import Names
from ansible_collections.roost.cluster.plugins.module_utils.release.gateway_certificate import (
    look,
    told,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Tls
from release_moves import run
from release_samples import block, release, resolved
from release_secrets import NOW, node, own, secret, spoiled
from release_world import CONTEXT, World

OWN = {"tls": {"self_signed": True}}
GIVEN = {"tls": {"secret": "shop"}}
OWN_KEY, GIVEN_KEY = "Secret istio-system/roost-digits-tls", "Secret istio-system/shop"


def world_with(*items: dict[str, Any]) -> World:
    world = World()
    for item in items:
        world.apply(item)
    return world


# The description.


@pytest.mark.parametrize(
    ("tls", "key", "expected"),
    [
        (True, "tls", "either {self_signed: true} or {secret: NAME}"),
        ({}, "tls", "either {self_signed: true} or {secret: NAME}"),
        ({"secret": "a", "self_signed": True}, "tls", "either {self_signed: true} or"),
        ({"self_signed": False}, "tls.self_signed", "leave the key out for no HTTPS"),
        ({"self_signed": "yes"}, "tls.self_signed", "either {self_signed: true} or"),
        ({"secret": "Shop"}, "tls.secret", "a DNS-1123 subdomain"),
        ({"secret": "a" * 254}, "tls.secret", "a DNS-1123 subdomain"),
        ({"secret": None}, "tls.secret", "a DNS-1123 subdomain"),
        ({"secrets": "shop"}, "tls.secrets", "did you mean secret?"),
    ],
)
def test_what_is_refused(tls: Any, key: str, expected: str) -> None:
    (problem,) = spec.check(block(tls=tls))
    assert problem.key == key
    assert expected in str(problem)


@pytest.mark.parametrize("tls", [OWN["tls"], {"secret": "shop.example"}])
def test_it_can_be_written_down_and_read_again(tls: dict[str, Any]) -> None:
    found = release(tls=tls)
    assert found.tls == Tls(tls.get("secret"))
    assert spec.read(found.as_block()) == (found, [])


# The objects.


def servers(**changes: Any) -> list[dict[str, Any]]:
    items = objects.derive(release(**changes), CONTEXT)
    (gateway,) = [item for item in items if item["kind"] == "Gateway"]
    found: list[dict[str, Any]] = gateway["spec"]["servers"]
    return found


def test_without_it_there_is_no_server_for_https() -> None:
    assert [server["port"]["number"] for server in servers()] == [80]


@pytest.mark.parametrize(("tls", "name"), [(OWN, "roost-digits-tls"), (GIVEN, "shop")])
def test_the_gateway_has_one_more_server(tls: dict[str, Any], name: str) -> None:
    plain, secure = servers(hosts=["a.example"], **tls)
    assert "tls" not in plain
    assert secure == {
        "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
        "hosts": ["a.example"],
        "tls": {"mode": "SIMPLE", "credentialName": name, "minProtocolVersion": "TLSV1_2"},
    }


def test_a_limit_holds_over_https_too() -> None:
    limited = release(rate_limit={"requests_per_second": 5}, hosts=["a.example"], **OWN)
    (item,) = [i for i in objects.derive(limited, CONTEXT) if i["kind"] == "EnvoyFilter"]
    places = [patch["match"].get("routeConfiguration") for patch in item["spec"]["configPatches"]]
    assert [place["vhost"]["name"] for place in places if place] == [
        "a.example:80",
        "a.example:443",
    ]


# One of our own.


@pytest.mark.parametrize(
    ("item", "days", "why"),
    [
        (own(), 0, None),
        (own(), 365 - 31, None),
        (own(), 365 - 30, "made anew, for it ends on 2027-11-28"),
        (own(), 400, "made anew, for it ends on 2027-11-28"),
        (own(Names(("localhost",))), 0, "made anew, for it isn't valid for 127.0.0.1"),
        ({**own(), "data": {}}, 0, "made anew, for it has no certificate in PEM form"),
        (None, 0, "new, self-signed for localhost, 127.0.0.1"),
    ],
)
def test_when_one_is_made(item: Any, days: int, why: str | None) -> None:
    world = world_with(*([item] if item else []))
    found = look(world, release(**OWN), CONTEXT, NOW + timedelta(days=days))
    assert found.problems == []
    if why is None:
        assert found.order is None
        assert found.serial == certificates.read(item).serial
    else:
        assert found.order is not None
        assert why in found.order.reason
        assert found.serial == found.order.serial


def test_a_node_that_came_is_added() -> None:
    world = World()
    run(world, resolved(**OWN))
    world.store["Node n"] = node("192.168.56.103")
    plan = planning.plan(resolved(**OWN), world, CONTEXT)
    assert [change.as_dict() for change in plan.changes] == [
        {"what": OWN_KEY, "why": "made anew, for it isn't valid for 192.168.56.103"}
    ]
    (step,) = plan.steps
    assert step.certificate["addresses"] == ["127.0.0.1", "192.168.56.103"]
    # And every gateway has to show the new one before the run ends.
    assert step.stage.wait == plan.steady
    assert step.stage.wait["certificate"] == step.certificate["serial"]
    run(world, resolved(**OWN))
    assert planning.plan(resolved(**OWN), world, CONTEXT).steps == []


def test_the_certificate_comes_before_the_server() -> None:
    world = World()
    run(world, resolved())
    plan = planning.plan(resolved(**OWN), world, CONTEXT)
    assert [step.stage.name for step in plan.steps][:2] == ["certificate", "prepare"]
    assert plan.steps[0].stage.wait == {}
    # And each gateway has to draw there as well.
    assert plan.steady["weights"]["https"] == names.https_routes("digits", "digits")
    run(world, resolved(**OWN))
    assert world.violations == []
    assert planning.plan(resolved(**OWN), world, CONTEXT).steps == []


def test_no_key_is_in_a_plan() -> None:
    world = World()
    run(world, resolved(**OWN))
    key = world.store[OWN_KEY]["data"]["tls.key"]
    world.store["Node n"] = node("192.168.56.103")
    for changes in (OWN, {}):
        plan = planning.plan(resolved(**changes), world, CONTEXT)
        assert OWN_KEY in [change.item for change in plan.changes]
        assert key not in json.dumps([plan.rendered(), plan.diff()])
        assert "tls.key" not in json.dumps([plan.rendered(), plan.diff()])


def test_without_a_cluster_it_is_new() -> None:
    plan = planning.plan(resolved(**OWN), NoCluster(), CONTEXT)
    assert plan.changes[0].as_dict()["why"] == "new, self-signed for localhost, 127.0.0.1"


def test_a_name_that_somebody_else_has_is_not_taken() -> None:
    world = world_with(secret("roost-digits-tls"))
    with pytest.raises(planning.Rejected, match="a secret that digits has not made; delete it"):
        planning.plan(resolved(**OWN), world, CONTEXT)


# One of somebody else's.


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (None, "there is none; kubectl --namespace istio-system create secret tls shop"),
        ({**secret(), "type": "Opaque"}, "it is of the type Opaque"),
        (spoiled("tls.key", b"x"), "no key in PEM form"),
        (secret(now=NOW - timedelta(days=900)), "its certificate is valid from 2024-"),
        (secret(now=NOW + timedelta(days=900)), "its certificate is valid from 2029-"),
        (
            secret(**names.common_labels("letters")),
            "Roost has made that one, and removes it",
        ),
    ],
)
def test_a_secret_that_is_missing_or_unfit_is_refused(item: Any, why: str) -> None:
    mesh = {"kind": "Namespace", "metadata": {"name": "istio-system"}}
    world = world_with(mesh, *([item] if item else []))
    with pytest.raises(planning.Rejected, match="nothing was applied") as rejected:
        planning.plan(resolved(**GIVEN), world, CONTEXT)
    said = str(rejected.value)
    assert "release.tls.secret: got the text 'shop'; expected a secret of the type kube" in said
    assert why in said


def test_where_there_is_no_mesh_yet_a_check_goes_on() -> None:
    plan = planning.plan(resolved(**GIVEN), NoCluster(), CONTEXT)
    assert "whether there is a secret shop is seen with the mesh" in plan.notes


def test_what_may_be_meant_is_only_told() -> None:
    wanted = Names(("*.a.example",))
    world = world_with(secret(wanted=wanted, now=datetime.now(timezone.utc) - timedelta(days=350)))
    hosts = ["x.a.example", "b.example"]
    notes = planning.plan(resolved(hosts=hosts, **GIVEN), world, CONTEXT).notes
    assert notes[0] == "the certificate of the secret shop isn't valid for b.example"
    assert notes[1].startswith("the certificate of the secret shop ends on ")


def test_a_secret_of_somebody_else_stays_and_our_own_goes() -> None:
    world = world_with(secret())
    theirs = dict(world.store[GIVEN_KEY])
    for changes in (OWN, GIVEN, {}, GIVEN, OWN, {}):
        run(world, resolved(**changes))
        assert world.violations == []
        assert (OWN_KEY in world.store) == (changes == OWN)
        assert world.store[GIVEN_KEY] == theirs
        assert planning.plan(resolved(**changes), world, CONTEXT).steps == []


def test_gateways_show_the_other_one_before_our_own_goes() -> None:
    world = world_with(secret())
    run(world, resolved(**OWN))
    steps = planning.plan(resolved(**GIVEN), world, CONTEXT).steps
    serial = certificates.read(world.store[GIVEN_KEY]).serial
    *earlier, last = steps
    assert (last.stage.name, last.stage.state) == ("remove", "absent")
    assert any(step.stage.wait.get("certificate") == serial for step in earlier)


# What status says.


def test_the_status() -> None:
    wanted = release(**OWN)
    assert told(World(), release(), CONTEXT, NOW) is None
    assert "is gone; run playbooks/release.yml" in str(told(World(), wanted, CONTEXT, NOW))
    world = world_with(own())
    assert told(world, wanted, CONTEXT, NOW) == (
        "the certificate of the secret istio-system/roost-digits-tls is valid until 2027-11-28 "
        "(365 days)"
    )
    late = NOW + timedelta(days=340)
    assert str(told(world, wanted, CONTEXT, late)).endswith("(25 days); run playbooks/release.yml")
