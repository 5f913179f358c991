# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Train a version of the model on scikit-learn's digits; runs while an image is built.

    python -m samples.model_service.train --version v2 --output model.json

The same version always gives the same model: the split and every seed are fixed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from samples.common.digit_image import INK, SIDE
from samples.model_service.model import Model

Floats = NDArray[np.float64]
LayerDocument = dict[str, Any]

SEED = 1
DIGITS = 5  # decimal digits that a weight keeps in the file


@dataclass(frozen=True)
class Split:
    """The first half of the data trains, the second is held out, in the order of the data set.

    Not shuffled: the images of one writer stand together (the sequence of digits on the form that
    each filled in repeats every 130 images or so), so the held-out half is by other hands. A
    shuffled split would flatter every model by about three points.
    """

    train_inputs: Floats
    train_digits: NDArray[np.int64]
    test_inputs: Floats
    test_digits: NDArray[np.int64]

    @classmethod
    def load(cls) -> Split:
        inputs, digits = load_digits(return_X_y=True)
        inputs = inputs / INK
        half = len(digits) // 2
        return cls(inputs[:half], digits[:half], inputs[half:], digits[half:])


def _linear(weights: Floats, bias: Floats) -> LayerDocument:
    return {"kind": "linear", "weights": weights.tolist(), "bias": bias.tolist()}


def export_regression(model: Any) -> list[LayerDocument]:
    """Multinomial logistic regression: one layer."""
    return [_linear(model.coef_, model.intercept_)]


def export_perceptron(model: Any) -> list[LayerDocument]:
    """A multilayer perceptron: linear layers with ReLU between them."""
    layers: list[LayerDocument] = []
    for weights, bias in zip(model.coefs_, model.intercepts_, strict=True):
        layers += [_linear(weights.T, bias), {"kind": "relu"}]
    return layers[:-1]


def export_radial(pipeline: Any) -> list[LayerDocument]:
    """Nyström's map and the regression on it: distances to centres, then one linear layer."""
    kernel, regression = pipeline[0], pipeline[1]
    centres = {"kind": "radial", "centres": kernel.components_.tolist(), "gamma": kernel.gamma}
    weights = regression.coef_ @ kernel.normalization_
    return [centres, _linear(weights, regression.intercept_)]


@dataclass(frozen=True)
class Recipe:
    """How one version is made."""

    kind: str
    make: Callable[[], Any]
    export: Callable[[Any], list[LayerDocument]]


RECIPES = {
    "v1": Recipe(
        "multinomial logistic regression",
        lambda: LogisticRegression(C=1.0, max_iter=1000),
        export_regression,
    ),
    "v2": Recipe(
        "multilayer perceptron, 64 hidden units",
        lambda: MLPClassifier((64,), alpha=0.01, max_iter=400, random_state=SEED),
        export_perceptron,
    ),
    "v3": Recipe(
        "radial basis functions around 200 training images",
        lambda: make_pipeline(
            Nystroem(gamma=0.25, n_components=200, random_state=SEED),
            LogisticRegression(C=30.0, max_iter=5000),
        ),
        export_radial,
    ),
}


def train(version: str, split: Split) -> tuple[dict[str, Any], Any]:
    """The document of a model file, and scikit-learn's own model to compare with."""
    recipe = RECIPES[version]
    # One thread: the same sums in the same order, and quicker than several for data this small.
    with threadpool_limits(1):
        estimator = recipe.make().fit(split.train_inputs, split.train_digits)
        wrong = int((estimator.predict(split.test_inputs) != split.test_digits).sum())
    held_out = len(split.test_digits)
    description = {
        "version": version,
        "kind": recipe.kind,
        "data": "scikit-learn digits, first half trains, second half held out",
        "trained_on": len(split.train_digits),
        "held_out": held_out,
        "held_out_wrong": wrong,
        "held_out_accuracy": round(1 - wrong / held_out, 4),
    }
    return {"description": description, "layers": recipe.export(estimator)}, estimator


def check_same(model: Model, estimator: Any, split: Split) -> None:
    """The exported model must give scikit-learn's answers on every held-out image."""
    images = (split.test_inputs * INK).reshape(-1, SIDE, SIDE).tolist()
    ours = np.array([model.probabilities(image) for image in images])
    theirs = estimator.predict_proba(split.test_inputs)
    difference = float(np.abs(ours - theirs).max())
    if difference > 1e-3 or (ours.argmax(1) != theirs.argmax(1)).any():
        raise SystemExit(f"train: the exported model differs from scikit-learn by {difference:g}")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value


def check_better(description: dict[str, Any], split: Split) -> None:
    """Each later version must get fewer held-out images wrong than v1."""
    first, _ = train("v1", split)
    before, after = first["description"]["held_out_wrong"], description["held_out_wrong"]
    if description["version"] != "v1" and after >= before:
        sys.exit(f"train: {description['version']} gets {after} images wrong, v1 only {before}")


def write_model(version: str, split: Split, path: Path) -> dict[str, Any]:
    """Train a version, write its file, check it, and give back its description."""
    document, estimator = train(version, split)
    layers = _rounded(document["layers"])
    text = json.dumps({**document, "layers": layers}, separators=(",", ":"))
    path.write_text(text, "ascii")
    check_same(Model.load(path), estimator, split)
    description: dict[str, Any] = document["description"]
    check_better(description, split)
    return description


def main() -> None:
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("--version", required=True, choices=sorted(RECIPES))
    parser.add_argument("--output", required=True, type=Path)
    options = parser.parse_args()
    print(json.dumps(write_model(options.version, Split.load(), options.output)), flush=True)


if __name__ == "__main__":
    main()
