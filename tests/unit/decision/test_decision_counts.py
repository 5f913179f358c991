# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json

import pytest
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.counts import (
    Counters,
    Gathered,
    Source,
    Subset,
    histogram,
    look,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.looks import Tally

V1, V2 = Subset("app", "v1"), Subset("app", "v2")
OLD = Source("gateway-a", 100.0)


def tally(attempts: int, failures: int = 0) -> Tally:
    return Tally(attempts, failures, (attempts - failures, failures, 0))


def test_the_first_reading_is_only_remembered() -> None:
    assert Counters().take({OLD: {V1: tally(900, 9)}}, 1000.0) == {V1: Tally()}


def test_what_each_proxy_counted_since_is_added_up() -> None:
    counters = Counters()
    other = Source("gateway-b", 200.0)
    counters.take({OLD: {V1: tally(900, 9)}, other: {V1: tally(50)}}, 1000.0)
    grown = counters.take({OLD: {V1: tally(960, 10)}, other: {V1: tally(57, 2)}}, 1010.0)
    assert grown == {V1: Tally(67, 3, (64, 3, 0))}


def test_a_restarted_container_counts_from_zero() -> None:
    counters = Counters()
    counters.take({OLD: {V1: tally(900, 9)}}, 1000.0)
    restarted = Source(OLD.uid, 1004.0)
    assert counters.take({restarted: {V1: tally(40, 1)}}, 1010.0) == {V1: tally(40, 1)}
    assert counters.take({restarted: {V1: tally(70, 1)}}, 1020.0) == {V1: tally(30)}


def test_a_proxy_seen_late_is_new_only_if_it_started_since_the_last_reading() -> None:
    counters = Counters()
    counters.take({OLD: {V1: tally(900)}}, 1000.0)
    young, missed = Source("gateway-b", 1000.0), Source("gateway-c", 999.0)
    grown = counters.take({young: {V2: tally(5)}, missed: {V2: tally(700)}}, 1010.0)
    assert grown == {V2: tally(5)}
    assert counters.take({missed: {V2: tally(703)}}, 1020.0) == {V2: tally(3)}


def test_a_subset_that_a_known_proxy_sees_first_counts_from_zero() -> None:
    counters = Counters()
    counters.take({OLD: {V1: tally(900)}}, 1000.0)
    assert counters.take({OLD: {V1: tally(900), V2: tally(3)}}, 1010.0)[V2] == tally(3)


def test_a_proxy_that_vanished_and_came_back_is_not_counted_twice() -> None:
    counters = Counters()
    counters.take({OLD: {V1: tally(900), V2: tally(10)}}, 1000.0)
    assert counters.take({}, 1010.0) == {}
    assert counters.take({OLD: {V1: tally(910)}}, 1020.0) == {V1: tally(10)}
    # A subset that was missing from one reading keeps its last value too.
    assert counters.take({OLD: {V1: tally(910), V2: tally(11)}}, 1030.0)[V2] == tally(1)


def test_a_proxy_that_was_away_for_long_is_not_counted_twice_either() -> None:
    counters = Counters()
    counters.take({}, 1000.0)
    source = Source("gateway-b", 1001.0)
    assert counters.take({source: {V1: tally(100)}}, 1010.0) == {V1: tally(100)}
    for number in range(30):
        counters.take({}, 1020.0 + number)
    assert counters.take({source: {V1: tally(150)}}, 1100.0) == {V1: Tally()}
    assert counters.take({source: {V1: tally(155)}}, 1110.0) == {V1: tally(5)}


def test_counters_that_were_reset_without_a_restart_give_no_negative_counts() -> None:
    counters = Counters()
    counters.take({OLD: {V1: tally(900, 9)}}, 1000.0)
    assert counters.take({OLD: {V1: tally(7, 1)}}, 1010.0) == {V1: tally(7, 1)}


def test_time_does_not_go_back() -> None:
    counters = Counters()
    counters.take({}, 1000.0)
    with pytest.raises(ValueError, match=r"got the time 999.0; expected one after 1000.0"):
        counters.take({}, 999.0)


def test_another_machine_goes_on_where_the_first_one_stopped() -> None:
    counters = Counters()
    counters.take({OLD: {V1: tally(900, 9)}, Source("gone", 5.0): {V2: tally(4)}}, 1000.0)
    counters.take({OLD: {V1: tally(950, 9), V2: Tally(2, 0, ())}}, 1010.0)
    other = Counters.from_dict(json.loads(json.dumps(counters.as_dict())))
    reading = {OLD: {V1: tally(990, 12), V2: Tally(5, 1, ())}, Source("gone", 5.0): {V2: tally(6)}}
    assert other.take(reading, 1020.0) == counters.take(reading, 1020.0)
    assert other.as_dict() == counters.as_dict()


def test_histograms_come_from_cumulative_counts() -> None:
    assert histogram([0, 3, 3, 10]) == (0, 3, 0, 7)
    with pytest.raises(ValueError, match="expected rising ones"):
        histogram([0, 3, 2])


def test_a_look_has_each_service_and_leaves_other_versions_out() -> None:
    grown = {V1: tally(90), V2: tally(10, 2), Subset("app", "v0"): tally(7)}
    found = look(grown, ["app", "model-service"], canary="v2", stable="v1", seconds=5.0)
    assert found.seconds == 5.0
    assert found.services["app"].canary == tally(10, 2)
    assert found.services["app"].stable == tally(90)
    assert found.services["model-service"].canary == Tally()


def gathered(readings: list[tuple[float, tuple[int, ...], tuple[int, ...]]]) -> list[list[int]]:
    """From looks at these times, each with the latencies of the canary and of the stable version:
    how many of both each look has in the end."""
    keep, found = Gathered(0), []
    for at, canary, stable in readings:
        new = {
            Subset("app", "v2"): Tally(1, 0, canary),
            Subset("app", "v1"): Tally(9, 0, stable),
        }
        told = keep.take(new, at)
        assert [tally.attempts for tally in told.values()] == [1, 9], "nothing else is kept back"
        found.append([sum(tally.histogram) for tally in told.values()])
    return found


def test_latencies_that_proxies_show_in_turns_come_together() -> None:
    """Every 5 seconds, and looks are 2 seconds long: canary and stable are never in the same."""
    turns = [(2.0, (3, 1), ()), (4.0, (), (5, 4)), (6.0, (), ()), (8.0, (4, 0), (0, 0))]
    assert gathered([*turns, (10.0, (0, 0), (9, 0)), (12.0, (), ())]) == [
        *([0, 0], [0, 0], [4, 9], [0, 0], [0, 0]),
        [4, 9],
    ]


def test_looks_that_are_long_enough_have_their_own_latencies() -> None:
    looks = [(4.9, (3, 1), (5, 4)), (10.0, (), (5, 0))]
    assert gathered(looks) == [[4, 9], [0, 5]]


@pytest.mark.parametrize("value", [-1, 2.5, True])
def test_counts_are_counts(value: object) -> None:
    with pytest.raises(ValueError, match=r"failures: got .*; histogram\[1\]: got .*; expected int"):
        Tally(5, value, (1, value))  # type: ignore[arg-type]  # what is asked for is not what is typed


def test_histograms_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="got 2 counts; expected 3 as before"):
        counters = Counters()
        counters.take({OLD: {V1: tally(900)}}, 1000.0)
        counters.take({OLD: {V1: Tally(901, 0, (1, 2))}}, 1010.0)
