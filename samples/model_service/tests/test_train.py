# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The versions are as good as the README says, and the training refuses what is not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from samples.common.tests.processes import REPOSITORY
from samples.model_service import train
from samples.model_service.model import Model
from samples.model_service.train import RECIPES, Split, check_better, write_model

# The routines that numpy chooses for a processor may turn one image or two.
TOLERANCE = 0.006


def accuracies(files: dict[str, Path]) -> dict[str, float]:
    return {
        version: json.loads(path.read_text())["description"]["held_out_accuracy"]
        for version, path in files.items()
    }


def test_later_versions_beat_the_first(model_files: dict[str, Path]) -> None:
    measured = accuracies(model_files)
    assert measured["v1"] < min(measured["v2"], measured["v3"])


def test_the_readme_states_what_is_measured(model_files: dict[str, Path]) -> None:
    readme = (REPOSITORY / "samples" / "README.md").read_text("utf-8")
    table = re.findall(r"^\| (v\d) \|.*\| ([\d.]+) % \|$", readme, flags=re.MULTILINE)
    stated = {version: float(percent) / 100 for version, percent in table}
    assert stated == pytest.approx(accuracies(model_files), abs=TOLERANCE)


@pytest.mark.parametrize("version", RECIPES)
def test_the_stated_accuracy_is_that_of_the_served_model(
    model_files: dict[str, Path], split: Split, version: str
) -> None:
    model = Model.load(model_files[version])
    images = (split.test_inputs * 16).reshape(-1, 8, 8).tolist()
    answers = [model.probabilities(image) for image in images]
    wrong = sum(
        answer.index(max(answer)) != digit
        for answer, digit in zip(answers, split.test_digits, strict=True)
    )
    assert wrong == model.description["held_out_wrong"]
    assert len(images) == model.description["held_out"] == 899


def test_the_same_version_gives_the_same_model(
    model_files: dict[str, Path], split: Split, tmp_path: Path
) -> None:
    write_model("v2", split, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == model_files["v2"].read_bytes()


def test_an_export_that_differs_is_refused(
    monkeypatch: pytest.MonkeyPatch, split: Split, tmp_path: Path
) -> None:
    monkeypatch.setattr(train, "DIGITS", 1)
    with pytest.raises(SystemExit, match="differs from scikit-learn"):
        write_model("v1", split, tmp_path / "model.json")


def test_a_version_no_better_than_the_first_is_refused(split: Split) -> None:
    with pytest.raises(SystemExit, match="v2 gets 400 images wrong, v1 only"):
        check_better({"version": "v2", "held_out_wrong": 400}, split)
