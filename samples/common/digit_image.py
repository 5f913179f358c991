# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The image both services take: 8 rows of 8 numbers from 0 (paper) to 16 (ink)."""

from __future__ import annotations

from samples.common.errors import ApiError

SIDE = 8
INK = 16

_EXPECTED = f'expected {{"image": [[…], …]}} with {SIDE} rows of {SIDE} numbers from 0 to {INK}'


def image_of(document: object) -> list[list[float]]:
    """The rows of the image in a request's document, checked."""
    if not isinstance(document, dict):
        raise _wrong("the document is no object")
    if "image" not in document:
        raise _wrong("the key image is missing")
    if len(document) > 1:
        raise _wrong("there are other keys than image")
    rows = document["image"]
    if not isinstance(rows, list) or len(rows) != SIDE:
        raise _wrong(f"the image is no list of {SIDE} rows")
    for row_number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != SIDE:
            raise _wrong(f"row {row_number} is no list of {SIDE} numbers")
        for column_number, value in enumerate(row):
            # bool is an int in Python, but true is no number in JSON.
            if type(value) not in (int, float):
                raise _wrong(f"row {row_number}, column {column_number} is no number")
            if not 0 <= value <= INK:
                raise _wrong(f"row {row_number}, column {column_number} is not from 0 to {INK}")
    return rows


def _wrong(what: str) -> ApiError:
    return ApiError(422, "invalid_image", f"{what}; {_EXPECTED}")
