# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""That the simulations judge rightly, and that what they play is what decides real rollouts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.comparison import Comparison
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.looks import (
    Look,
    Tally,
    Versions,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.rehearsal import (
    ADVANCED,
    ROLLED_BACK,
    WAITED,
    Drawn,
    Quality,
    Rehearsal,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.verdict import Outcome

from tests.conftest import REPOSITORY
from tests.simulations import flagger, guarantees, power, scenarios, tables
from tests.simulations.scenarios import EDGES, TYPICAL, same, worse

SERVICES = ("app", "model-service")


def result(wrong: int, rollouts: int = 1000) -> guarantees.Result:
    return guarantees.Result("", 0, rollouts, wrong, wrong, rollouts - wrong, wrong, 0)


def test_exact_lower_bound_by_hand() -> None:
    # All of n hit: p^n = 0.001. One of n: 1 - (1 - p)^n = 0.001.
    assert guarantees.lower_bound(5, 5) == pytest.approx(0.001 ** (1 / 5))
    assert guarantees.lower_bound(1, 5) == pytest.approx(1 - 0.999 ** (1 / 5))
    assert guarantees.lower_bound(0, 5) == 0.0


def test_what_is_more_than_chance_is_called_a_broken_guarantee() -> None:
    assert not result(10).proves_more_than(0.01)
    assert not result(20).proves_more_than(0.01)
    assert result(24).proves_more_than(0.01)
    # A claim that ended no rollout counts too.
    assert replace(result(0), claimed=24).proves_more_than(0.01)


@pytest.mark.parametrize("wrongly", ["rolled back", "advanced"])
def test_simulations_find_a_goal_that_is_too_low(
    wrongly: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidence of 4 in place of 400 and 100 is what luck brings soon."""
    judge = guarantees.of_healthy if wrongly == "rolled back" else guarantees.at_margin
    name = "50 per second, looks go on" if wrongly == "rolled back" else "failures 0.2% and 2.2%"
    listed = scenarios.healthy() if wrongly == "rolled back" else scenarios.at_margin()
    number = [scenario.name for scenario in listed].index(name)
    assert not judge(number, 60).proves_more_than(0.01)
    low = replace(Rehearsal(Settings(), (10,), EDGES, 1, 1).goals, worse=math.log(4))
    low = replace(low, within=math.log(4))
    monkeypatch.setattr(
        "ansible_collections.roost.cluster.plugins.plugin_utils.decision.rehearsal.Goals.of",
        lambda *_: low,
    )
    assert judge(number, 60).proves_more_than(0.01)


@pytest.mark.parametrize(
    "canary",
    [TYPICAL, Quality(failure_rate=0.1), Quality(median_ms=45.0)],
    ids=["healthy", "failing", "slow"],
)
def test_what_is_played_decides_as_a_real_rollout_does(canary: Quality) -> None:
    """The same looks go to both. A real one has more values on its grids, and may only be later
    where one of them lags behind."""
    real = Comparison(Settings(), list(EDGES), SERVICES)
    real.begin_step(10)
    decided: list[tuple[float, Outcome]] = []

    def witness(seconds: np.ndarray, services: list[Drawn]) -> None:
        real.observe(Look(float(seconds[0]), {n: _versions(d) for n, d in zip(SERVICES, services)}))
        outcome = real.verdict().outcome
        if outcome is not Outcome.WAIT and not decided:
            decided.append((real.seconds, outcome))

    rehearsal = Rehearsal(Settings(), (10,), EDGES, 1, 12)
    played = rehearsal.play(worse(50, canary), 60, stop=False, witness=witness)
    outcomes = {ADVANCED: Outcome.ADVANCE, ROLLED_BACK: Outcome.ROLL_BACK}
    seconds, outcome = decided[0]
    assert outcome is outcomes[int(played.outcome[0])]
    assert played.seconds[0] <= seconds <= played.seconds[0] + 10


def _versions(drawn: Drawn) -> Versions:
    def tally(attempts: np.ndarray, failures: np.ndarray, histogram: np.ndarray) -> Tally:
        return Tally(int(attempts[0]), int(failures[0]), tuple(int(n) for n in histogram[0]))

    return Versions(
        tally(drawn.canary, drawn.canary_failed, drawn.canary_histogram),
        tally(drawn.stable, drawn.stable_failed, drawn.stable_histogram),
    )


def test_looks_after_the_decision_change_only_what_is_counted_over_all() -> None:
    short, long = (
        Rehearsal(Settings(), (10,), EDGES, 20, 3).play(same(50), looks, stop=False)
        for looks in (30, 40)
    )
    decided = short.outcome == ADVANCED
    assert decided.sum() > 10
    assert (short.requests == long.requests)[decided].all()
    assert (short.seconds == long.seconds)[decided].all()
    assert (long.step_requests > short.step_requests).all()
    assert (long.within_after == short.within_after)[decided].all()


def test_a_look_can_have_another_share_than_the_step() -> None:
    traffic = [scenarios.pausing(50)(number) for number in range(4)]
    assert [now.share for now in traffic] == [None, 0.0, None, 1.0]
    shares = []

    def witness(_: np.ndarray, services: list[Drawn]) -> None:
        first = services[0]
        shares.append(first.canary.sum() / (first.canary + first.stable).sum())

    Rehearsal(Settings(), (10,), EDGES, 50, 4).play(
        lambda n: traffic[n], 4, stop=False, witness=witness
    )
    assert shares == pytest.approx([0.1, 0.0, 0.1, 1.0], abs=0.02)


def fixed_after(*minutes: tuple[int, int, float]) -> flagger.FixedThresholds:
    """Requests, failed ones and the latency of all, of the canary in each minute."""
    edges = np.array([100.0, 400.0, 600.0])
    rule = flagger.FixedThresholds(1, edges)
    for count, failed, latency in minutes:
        histogram = np.zeros((1, 4), dtype=np.intp)
        histogram[0, np.searchsorted(edges, latency)] = count
        none = np.zeros(1, dtype=np.intp)
        drawn = Drawn(none + count, none + failed, none, none, histogram, histogram)
        for part in range(12):
            empty = replace(drawn, canary=none, canary_failed=none, canary_histogram=0 * histogram)
            rule.see(np.full(1, 5.0), [drawn if part == 0 else empty])
    return rule


GOOD, FAILING, AT_MINIMUM = (1000, 0, 50.0), (1000, 11, 50.0), (1000, 10, 50.0)


@pytest.mark.parametrize(
    ("minutes", "outcome", "at"),
    [
        ([GOOD] * 4, WAITED, math.inf),
        ([GOOD] * 9, ADVANCED, 300.0),
        ([AT_MINIMUM] * 5, ADVANCED, 300.0),
        ([FAILING] * 5, ROLLED_BACK, 300.0),
        # Failed checks add up, however many pass between them.
        ([FAILING, GOOD] * 4 + [FAILING] * 2, ROLLED_BACK, 540.0),
        ([(0, 0, 50.0)] * 5, ROLLED_BACK, 300.0),
        # Interpolated between 400 and 600 ms: 598 ms.
        ([(1000, 0, 500.0)] * 5, ROLLED_BACK, 300.0),
        ([(1000, 0, 300.0)] * 5, ADVANCED, 300.0),
    ],
)
def test_fixed_thresholds_by_hand(
    minutes: list[tuple[int, int, float]], outcome: int, at: float
) -> None:
    rule = fixed_after(*minutes)
    assert (rule.outcome[0], rule.decided_at[0]) == (outcome, at)


def test_tables_go_between_their_marks(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("before\n<!-- one: x -->\nold\n<!-- end -->\nafter\n")
    for _ in range(2):
        tables.write(document, {"one": tables.table(["a", "b"], [["c", "1"]])})
        assert document.read_text() == (
            "before\n<!-- one: x -->\n\n| a | b |\n| --- | ---: |\n| c | 1 |\n\n"
            "<!-- end -->\nafter\n"
        )
    with pytest.raises(ValueError, match="expected `<!-- two: … -->` and `<!-- end -->` below"):
        tables.write(document, {"two": ""})


def test_the_document_has_the_rows_of_these_simulations() -> None:
    """Whoever changes a scenario has to run `make test-stats`."""
    lines = (REPOSITORY / "docs" / "statistics.md").read_text().splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| ")]
    found = {(row[0].removeprefix("| "), row[1]) for row in rows}
    wanted = {
        (name, str(seed + number))
        for seed, names in (
            (scenarios.HEALTHY_SEED, [scenario.name for scenario in scenarios.healthy()]),
            (scenarios.MARGIN_SEED, [scenario.name for scenario in scenarios.at_margin()]),
            (power.FIGURES_SEED, [promise.name for promise in power.promises()]),
            (power.CURVES_SEED, [canary[0] for canary in power.canaries()]),
            (flagger.SEED, [canary[0] for canary in flagger.canaries()]),
        )
        for number, name in enumerate(names)
    }
    assert wanted - found == set()
