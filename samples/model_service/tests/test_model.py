# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The layers compute what they say, and a wrong file is named."""

from __future__ import annotations

import json
from math import exp
from pathlib import Path

import pytest

from samples.model_service.model import Model, ModelFileError, linear, radial, relu, softmax


def test_layers() -> None:
    assert linear([[1, 2], [3, 4]], [10, 20])([1, -1]) == [9, 19]
    assert relu()([-1, 0, 2.5]) == [0, 0, 2.5]
    near, far = radial([[1, 2], [4, 6]], 0.1)([1, 2])
    assert near == pytest.approx(1)
    assert far == pytest.approx(exp(-2.5))


def test_softmax_stands_large_scores() -> None:
    assert softmax([1000, 1000]) == [0.5, 0.5]
    assert softmax([0, -1000]) == [1, 0]
    assert sum(softmax([0.3, -2, 5])) == pytest.approx(1)


def test_a_model_scales_the_ink_to_one(tmp_path: Path) -> None:
    weights = [[1.0] * 64] + [[0.0] * 64] * 9
    layers = [{"kind": "linear", "weights": weights, "bias": [0.0] * 10}]
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"description": {"version": "v1"}, "layers": layers}))
    model = Model.load(path)
    assert model.version == "v1"
    assert model.probabilities([[16.0] * 8] * 8)[0] == pytest.approx(1)
    assert model.probabilities([[0.0] * 8] * 8) == pytest.approx([0.1] * 10)


def test_a_missing_file_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no model at .*; make one with python -m .*train"):
        Model.load(tmp_path / "absent.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"description": {"version": "v1"}, "layers": [{"kind": "magic"}]}',
        '{"description": {"version": "v1"}, "layers": [{"kind": "linear"}]}',
        '{"description": {"version": "v1"}, "layers": [7]}',
        '{"description": {}, "layers": []}',
        '{"description": {"version": "a b"}, "layers": []}',
        '{"description": {"version": 1}, "layers": []}',
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(ModelFileError, match="python -m samples.model_service.train"):
        Model.load(path)
