# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests of both services share."""

from __future__ import annotations

from pathlib import Path

import pytest

from samples.model_service.train import RECIPES, Split, write_model


@pytest.fixture(scope="session")
def split() -> Split:
    """The data as the training sees it."""
    return Split.load()


@pytest.fixture(scope="session")
def model_files(split: Split, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A trained model's file for each version."""
    folder = tmp_path_factory.mktemp("models")
    files = {version: folder / f"{version}.json" for version in RECIPES}
    for version, path in files.items():
        write_model(version, split, path)
    return files
