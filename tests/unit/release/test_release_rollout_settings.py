# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release.problems import Checker
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import (
    Settings,
    settings_of,
)


def problems(block: object) -> list[str]:
    checker = Checker()
    found = settings_of(checker, "rollout", block)
    assert (found is None) == bool(checker.problems)
    return [str(problem) for problem in checker.problems]


def test_an_empty_block_means_the_defaults() -> None:
    checker = Checker()
    assert settings_of(checker, "rollout", {}) == Settings()
    assert Settings(**Settings().as_block()) == Settings()


def test_keys_of_the_block_replace_defaults() -> None:
    found = settings_of(Checker(), "rollout", {"alpha": 0.05, "latency_margin": 2})
    assert found == Settings(alpha=0.05, latency_margin=2)


def test_every_problem_is_named_at_once() -> None:
    block = {
        "alpha": 1,
        "failure_margin": "0.02",
        "latency_margin": 0.9,
        "look_seconds": 2.5,
        "maximum_requests": 50,
        "margin": 3,
    }
    found = problems(block)
    assert len(found) == 6
    text = "\n".join(found)
    assert "release.rollout.alpha: got 1; expected a number above 0 and below 0.5" in text
    assert "release.rollout.failure_margin: got the text '0.02'" in text
    assert "write it without quotes" in text
    assert "release.rollout.latency_margin: got 0.9; expected a number above 1 and below" in text
    assert "release.rollout.look_seconds: got 2.5; expected an integer from 1 to 3600" in text
    assert "release.rollout.maximum_requests: got 50; expected at least minimum_requests" in text
    assert "release.rollout.margin: got 3; expected one of the keys alpha, " in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", 0.0),
        ("alpha", True),
        ("alpha", float("nan")),
        ("failure_margin", 0),
        ("failure_margin", 1),
        ("latency_margin", 1),
        ("latency_margin", float("inf")),
        ("minimum_requests", 0),
        ("minimum_requests", True),
        ("maximum_seconds", 0),
        ("look_seconds", "5"),
    ],
)
def test_values_that_mean_nothing_are_refused_in_code_too(name: str, value: Any) -> None:
    assert len(problems({name: value})) == 1
    with pytest.raises(ValueError, match=f"{name}: got"):
        Settings(**{name: value})


def test_a_block_that_is_no_mapping_is_refused() -> None:
    checker = Checker()
    settings_of(checker, "rollout", [1])
    assert "release.rollout: got [1]; expected a mapping of settings" in str(checker.problems[0])


def test_steps_are_a_tuple_wherever_they_come_from() -> None:
    assert settings_of(Checker(), "rollout", {"steps": [1, 100]}) == Settings(steps=(1, 100))
    assert Settings().as_block()["steps"] == [5, 10, 25, 50, 100]


@pytest.mark.parametrize(
    "steps",
    [[], [5, 50], [0, 100], [10, 10, 100], [50, 10, 100], [5.0, 100], [True, 100], "100", 5],
)
def test_steps_rise_to_everything(steps: Any) -> None:
    (problem,) = problems({"steps": steps})
    assert "release.rollout.steps: got" in problem
    assert (
        "a list of integers from 1 to 100, each above the one before it and the last 100" in problem
    )
