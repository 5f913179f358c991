# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tests run with the versions that the images hold."""

from __future__ import annotations

import re

import pytest

from samples.common.tests.processes import REPOSITORY

SAMPLES = REPOSITORY / "samples"


def pins(name: str) -> set[str]:
    text = (SAMPLES / name).read_text("utf-8")
    return set(re.findall(r"^([\w.-]+==[\w.]+) ", text, flags=re.MULTILINE))


@pytest.mark.parametrize(
    "name",
    [
        "app/requirements.txt",
        "model_service/requirements.txt",
        "model_service/requirements-train.txt",
    ],
)
def test_an_image_holds_what_was_tested(name: str) -> None:
    assert pins(name)
    assert pins(name) <= pins("requirements-test.txt")
