# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from ansible_collections.roost.cluster.plugins.plugin_utils.report import plots, words
from ansible_collections.roost.cluster.plugins.plugin_utils.report.plots import (
    Band,
    Level,
    Line,
    Plot,
    Span,
)

PLOT = Plot(
    title="a plot",
    times=[0.0, 60.0, 120.0],
    lines=[Line("one", "stable", [0.0, 5.0, 10.0])],
    tick="{:g} ms".format,
    low=0.0,
    high=10.0,
)
# The corners of what is drawn into, as numbers of the picture.
LEFT, TOP = plots._LEFT, plots._TOP
RIGHT, BOTTOM = plots.WIDTH - plots._RIGHT, plots.HEIGHT - plots._BOTTOM


def points(plot: Plot, style: str) -> list[list[tuple[float, float]]]:
    """The points of each path of a style."""
    root = ElementTree.fromstring(plots.svg(plot))
    drawn = [path.get("d", "") for path in root.iter("path") if path.get("class") == style]
    number = r"(-?[\d.]+),(-?[\d.]+)"
    return [[(float(x), float(y)) for x, y in re.findall(number, path)] for path in drawn]


def texts(plot: Plot, style: str) -> list[str]:
    root = ElementTree.fromstring(plots.svg(plot))
    return [text.text or "" for text in root.iter("text") if style in text.get("class", "").split()]


def test_a_line_goes_through_its_values() -> None:
    middle = ((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2)
    assert points(PLOT, "stable") == [
        [(LEFT, BOTTOM), pytest.approx(middle, abs=0.1), (RIGHT, TOP)]
    ]


def test_a_gap_is_no_line_and_a_value_by_itself_is_a_dot() -> None:
    line = Line("one", "stable", [1.0, 2.0, None, 4.0])
    plot = replace(PLOT, times=[0.0, 40.0, 80.0, 120.0], lines=[line])
    assert [len(path) for path in points(plot, "stable")] == [2]
    assert plots.svg(plot).count("<circle") == 1


def test_ratios_are_drawn_on_a_logarithmic_scale() -> None:
    line = Line("one", "stable", [0.5, 1.0, 2.0])
    plot = replace(PLOT, lines=[line], low=0.5, high=2.0, logarithmic=True)
    (path,) = points(plot, "stable")
    assert path[0][1] - path[1][1] == pytest.approx(path[1][1] - path[2][1], abs=0.1)


def test_bounds_that_are_missing_are_beyond_the_picture_and_others_are_clipped() -> None:
    plot = replace(PLOT, band=Band([None, 2.0, 2.0], [None, 8.0, 99.0]))
    (path,) = points(plot, "band")
    assert [y for _, y in path[:3]] == [TOP, pytest.approx(TOP + (BOTTOM - TOP) / 5, abs=0.1), TOP]
    assert path[-1] == (LEFT, BOTTOM)


def test_labels_never_overlap_and_stay_in_the_picture() -> None:
    levels = [Level(f"level {n}", "margin", 0.1 * n) for n in range(6)]
    root = ElementTree.fromstring(plots.svg(replace(PLOT, levels=levels)))
    labels = [text for text in root.iter("text") if "label" in text.get("class", "").split()]
    heights = sorted(float(text.get("y", "")) for text in labels)
    assert len(heights) == 7
    assert min(b - a for a, b in zip(heights, heights[1:])) >= plots._LABEL_HEIGHT - 0.1
    assert heights[-1] <= BOTTOM + 5


def test_axes_have_round_numbers() -> None:
    assert texts(PLOT, "tick") == [
        *("0 ms", "5 ms", "10 ms"),
        *("0:00", "0:30", "1:00", "1:30", "2:00"),
        "time since the beginning",
    ]
    low = replace(PLOT, low=-0.03, high=0.05, lines=[], tick="{:.2f}".format)
    assert texts(low, "tick")[:5] == ["-0.02", "0.00", "0.02", "0.04", "0:00"]


def test_steps_are_shades_with_their_weights() -> None:
    plot = replace(PLOT, spans=[Span("5%", 0, 60), Span("10%", 60, 120), Span("25%", 120, 121)])
    root = ElementTree.fromstring(plots.svg(plot))
    assert len(list(root.iter("rect"))) == 3
    # There is no room for the last one's.
    assert texts(plot, "step-label") == ["5%", "10%"]


def test_nothing_to_draw_is_an_empty_plot() -> None:
    empty = replace(PLOT, times=[], lines=[Line("one", "stable", [])], band=Band([], []))
    assert points(empty, "stable") == []
    assert points(replace(empty, high=0.0), "stable") == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "–"), (8, "8 s"), (119, "119 s"), (150, "2.5 min"), (1500, "25 min"), (7260, "2:01 h")],
)
def test_durations(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("lower", "upper", "said"),
    [
        (None, None, "nothing shown yet"),
        (None, 0.02, "below +2 points"),
        (0.05, None, "above +5 points"),
        (-0.01, 0.02, "-1 points to +2 points"),
        (0.0, 0.0, "+0 points to +0 points"),
    ],
)
def test_intervals(lower: float | None, upper: float | None, said: str) -> None:
    assert words.interval(words.FAILURES, lower, upper) == said
