# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.verdict import (
    Outcome,
    Verdict,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import document as documents
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import lines, store, walk
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import (
    Document,
    Pair,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.walk import (
    Keep,
    Leave,
    Promote,
    RollBack,
    Weigh,
)
from rollout_server import Server

STEPS = (5, 10, 25, 50, 100)
COUNTS = {"app": {"canary": 100, "canary_failed": 0, "stable": 900, "stable_failed": 1}}


def document(*weights: int) -> Document:
    found = Document(
        id="abcd1234",
        release="digits",
        namespace="digits",
        who="ann@desk",
        began="2026-11-28T12:00:00.000Z",
        stable=Pair("v1", {"app": "a:1@sha256:1", "model-service": "m:1@sha256:1"}),
        canary=Pair("v2", {"app": "a:2@sha256:2", "model-service": "m:2@sha256:2"}),
        settings={"alpha": 0.01},
    )
    for weight in weights:
        found = walk.stepped(found, weight, "t0")
    return found


def verdict(outcome: Outcome, exhausted: bool = False, missing: int | None = 0) -> Verdict:
    return Verdict(outcome, f"because {outcome.value}", (), missing, 1.0, exhausted)


def looked(found: Document, given: Verdict) -> tuple[Document, walk.Action]:
    look: dict[str, Any] = {"at": "t1", "weight": found.weight, "services": {}, "metrics": []}
    return walk.looked(found, look, COUNTS, given, STEPS)


@pytest.mark.parametrize(
    ("live", "action"),
    [(0, Weigh(5)), (5, Keep()), (10, Keep()), (37, Keep()), (99, Keep())],
)
def test_it_begins_at_the_weight_that_is_live(live: int, action: walk.Action) -> None:
    assert walk.opening(live, STEPS) == action


def test_a_canary_with_the_whole_weight_can_only_be_promoted() -> None:
    assert isinstance(walk.opening(100, STEPS), Promote)


@pytest.mark.parametrize(
    ("weight", "following"), [(0, 5), (5, 10), (7, 10), (37, 50), (50, 100), (80, 100)]
)
def test_the_next_weight_is_the_first_step_above(weight: int, following: int) -> None:
    assert walk.next_weight(weight, STEPS) == following


def test_every_step_is_walked_and_the_last_one_is_a_promotion() -> None:
    found, seen = document(5), []
    action: walk.Action = Keep()
    while not isinstance(action, Promote):
        found, action = looked(found, verdict(Outcome.WAIT, missing=300))
        assert action == Keep()
        found, action = looked(found, verdict(Outcome.ADVANCE))
        if isinstance(action, Weigh):
            seen.append(action.weight)
            found = walk.stepped(found, action.weight, "t2")
    assert seen == [10, 25, 50]
    assert found.weights == (5, 10, 25, 50)
    assert {step["outcome"] for step in found.steps} == {"advance"}
    assert [step["counts"] for step in found.steps] == [COUNTS] * 4
    assert action.reason == "because advance"


@pytest.mark.parametrize("weight", [5, 10, 50])
def test_a_worse_canary_is_rolled_back_at_any_step(weight: int) -> None:
    found, action = looked(document(weight), verdict(Outcome.ROLL_BACK))
    assert action == RollBack("because roll back")
    assert found.steps[-1]["outcome"] == "roll back"
    assert found.reason == "because roll back"


def test_a_wait_without_end_is_left_to_a_person_with_what_is_missing() -> None:
    found, action = looked(document(10), verdict(Outcome.WAIT, exhausted=True, missing=212))
    assert action == Leave("because wait; 212 canary requests are still missing")
    assert found.weight == 10
    assert found.steps[-1]["outcome"] == "wait"


def test_looks_and_counts_are_written_down() -> None:
    found, _action = looked(document(10), verdict(Outcome.WAIT))
    found, _action = looked(found, verdict(Outcome.WAIT))
    assert [look["at"] for look in found.looks] == ["t1", "t1"]
    assert found.steps[-1]["counts"] == COUNTS
    assert found.verdict and found.verdict["outcome"] == "wait"


def test_a_weight_that_it_has_already_begins_no_step() -> None:
    waited, _action = looked(document(10), verdict(Outcome.WAIT, exhausted=True))
    again = walk.stepped(waited, 10, "t2")
    assert again.weights == (10,)
    assert again.steps[-1]["ended"] is None
    assert again.steps[-1]["began"] == "t0"


def test_a_weight_moved_by_hand_is_a_step_of_its_own() -> None:
    found = walk.stepped(document(10), 37, "t1")
    assert found.weights == (10, 37)
    assert found.steps[0]["reason"] == "the weight was moved to 37% by hand"


def test_a_step_that_was_killed_before_its_weight_was_live_is_forgotten() -> None:
    killed, _action = looked(document(10), verdict(Outcome.ADVANCE))
    killed = walk.stepped(killed, 25, "t2")
    again = walk.resumed(killed, "bob@lab", live=10)
    assert (again.weights, again.who) == ((10,), "bob@lab")
    assert walk.stepped(again, 10, "t3").steps[-1]["outcome"] is None


def test_a_step_that_was_killed_after_its_weight_was_live_goes_on() -> None:
    killed, _action = looked(document(10), verdict(Outcome.ADVANCE))
    killed = walk.stepped(killed, 25, "t2")
    assert walk.stepped(walk.resumed(killed, "bob@lab", live=25), 25, "t3").weights == (10, 25)


@pytest.mark.parametrize("outcome", [documents.PROMOTED, documents.ROLLED_BACK, documents.STOPPED])
def test_an_end_closes_the_step_and_is_read_back(outcome: str) -> None:
    found, _action = looked(document(5, 10), verdict(Outcome.WAIT))
    found = walk.ended(found, outcome, "enough", "t9")
    assert (found.outcome, found.reason, found.ended) == (outcome, "enough", "t9")
    assert found.steps[-1]["ended"] == "t9"
    kept = json.loads(json.dumps(found.as_dict()))
    again = Document.from_dict(kept)
    assert json.loads(json.dumps(again.as_dict())) == kept
    assert again.looks == found.looks


def test_a_run_that_was_stopped_says_nothing_of_a_weight_that_it_did_not_see() -> None:
    """It may have been stopped on the way to its end, after the weight was moved."""
    told = lines.ending(walk.ended(document(10), documents.STOPPED, "a proxy is late", "t1"))
    assert "10%" not in told
    assert "The weight stays" not in told
    assert "a proxy is late. playbooks/status.yml shows what is live" in told
    waiting = lines.ending(walk.ended(document(10), documents.WAITING, "too few", "t1"))
    assert "waiting at 10%: too few. The weight stays. Go on: " in waiting


def test_a_document_of_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="got format 7; expected 1"):
        Document.from_dict({**document().as_dict(), "format": 7})


def with_looks(count: int) -> Document:
    metrics = [["app", "failures", *[0.123456] * 7]] * 4
    looks = tuple({"at": number, "metrics": metrics} for number in range(count))
    return replace(document(10), looks=looks)


def test_a_state_is_read_back_as_it_was_written() -> None:
    server, kept = Server(), store.Store("digits", "digits")
    assert kept.read(server) is None
    stored = store.Stored(with_looks(3), {"format": 1, "capital": [0.1, -2e-17]})
    kept.write(server, stored)
    assert kept.read(server) == stored
    labels = server.objects["ConfigMap digits/roost-digits"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/part-of"] == "digits"


def test_looks_of_a_long_rollout_are_thinned_until_there_is_room() -> None:
    many = with_looks(5000)
    thin = store.thinned(many)
    assert [look["at"] for look in thin.looks[-40:]] == list(range(4960, 5000))
    assert thin.looks[0] == many.looks[0]
    assert thin.looks_left_out + len(thin.looks) == 5000
    store.Store("digits", "digits").write(Server(), store.Stored(thin, {"room": "x" * 100_000}))
    # Again and again, as while a rollout goes on: no look is counted twice.
    more = store.thinned(replace(thin, looks=(*thin.looks, *many.looks[:1000])))
    assert more.looks_left_out + len(more.looks) == 6000


def test_a_state_that_is_too_large_is_never_written() -> None:
    server = Server()
    with pytest.raises(store.BadState, match="expected at most 262144"):
        store.Store("digits", "digits").write(server, store.Stored(with_looks(5000), None))
    assert server.objects == {}
