# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Only 8 rows of 8 numbers from 0 to 16 are an image."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from samples.common.digit_image import image_of
from samples.common.errors import ApiError
from samples.common.tests.asgi import ZERO


def test_an_image_is_taken_as_it_is() -> None:
    image: list[list[float]] = [[0, 16, 7.5, 0.0, 16.0, 1, 2, 3]] * 8
    assert image_of({"image": image}) == image


def with_value(value: object) -> dict[str, Any]:
    image: list[list[Any]] = copy.deepcopy(ZERO)
    image[3][5] = value
    return {"image": image}


@pytest.mark.parametrize("value", [-1, -0.001, 16.001, 17, 10**400, float("inf"), float("nan")])
def test_a_number_out_of_range_is_named_with_its_place(value: float) -> None:
    with pytest.raises(ApiError, match="row 3, column 5 is not from 0 to 16") as caught:
        image_of(with_value(value))
    assert (caught.value.status, caught.value.code) == (422, "invalid_image")


@pytest.mark.parametrize("value", [True, False, None, "1", [1], {}])
def test_what_is_no_number_is_named_with_its_place(value: object) -> None:
    with pytest.raises(ApiError, match="row 3, column 5 is no number"):
        image_of(with_value(value))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (None, "no object"),
        ([], "no object"),
        (ZERO, "no object"),
        ({}, "image is missing"),
        ({"picture": ZERO}, "image is missing"),
        ({"image": ZERO, "extra": 1}, "other keys"),
        ({"image": None}, "no list of 8 rows"),
        ({"image": "x" * 8}, "no list of 8 rows"),
        ({"image": ZERO[:7]}, "no list of 8 rows"),
        ({"image": [*ZERO, ZERO[0]]}, "no list of 8 rows"),
        ({"image": [*ZERO[:7], [0] * 7]}, "row 7 is no list of 8 numbers"),
        ({"image": [[0] * 9, *ZERO[1:]]}, "row 0 is no list of 8 numbers"),
        ({"image": [0] * 8}, "row 0 is no list of 8 numbers"),
        ({"image": [0] * 64}, "no list of 8 rows"),
    ],
)
def test_another_shape_is_refused(document: object, reason: str) -> None:
    with pytest.raises(ApiError, match=reason) as caught:
        image_of(document)
    assert caught.value.status == 422
