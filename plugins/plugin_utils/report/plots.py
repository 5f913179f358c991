# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plots over time as SVG: lines and bands on a linear or a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

WIDTH, HEIGHT = 460, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 66, 22, 32
_RATIO_TICKS = (0.25, 0.5, 0.67, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
# Labels at the end of lines keep this distance from each other.
_LABEL_HEIGHT = 13.0

Values = Sequence[float | None]


@dataclass(frozen=True)
class Line:
    label: str
    style: str
    values: Values


@dataclass(frozen=True)
class Level:
    """A horizontal line with a meaning, such as a margin."""

    label: str
    style: str
    value: float


@dataclass(frozen=True)
class Band:
    """Between two bounds; one that is missing is beyond the picture."""

    lower: Values
    upper: Values


@dataclass(frozen=True)
class Span:
    """A stretch of time with a label at its beginning: seconds since the beginning."""

    label: str
    start: float
    end: float


@dataclass(frozen=True)
class Plot:
    title: str
    # Seconds since the beginning, one for each value of a line.
    times: Sequence[float]
    lines: Sequence[Line]
    tick: Callable[[float], str]
    # What the vertical axis must show at least.
    low: float
    high: float
    levels: Sequence[Level] = ()
    band: Band | None = None
    spans: Sequence[Span] = field(default_factory=tuple)
    logarithmic: bool = False


class _Scale:
    """From values to places in the picture."""

    def __init__(self, plot: Plot) -> None:
        self.log = plot.logarithmic
        ends = [max(plot.times, default=0.0), *(span.end for span in plot.spans)]
        self.duration = max([1.0, *ends])
        known = [value for line in plot.lines for value in line.values if value is not None]
        known = [value for value in known if value > 0 or not self.log]
        self.low, self.high = min([plot.low, *known]), max([plot.high, *known])

    def _height(self, value: float) -> float:
        return math.log(max(value, 1e-9)) if self.log else value

    def x(self, seconds: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * min(max(seconds / self.duration, 0.0), 1.0)

    def y(self, value: float) -> float:
        bottom, top = self._height(self.low), self._height(self.high)
        share = (self._height(value) - bottom) / ((top - bottom) or 1.0)
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * min(max(share, 0.0), 1.0)

    def ticks(self) -> list[float]:
        if self.log:
            return [tick for tick in _RATIO_TICKS if self.low <= tick <= self.high]
        step = _nice((self.high - self.low) / 4)
        first = math.ceil(self.low / step - 1e-9)
        count = math.floor((self.high - first * step) / step + 1e-9)
        return [(first + number) * step for number in range(count + 1)]

    def time_ticks(self) -> list[float]:
        step = next((time for time in _TIMES if self.duration / time <= 5), self.duration / 4)
        return [number * step for number in range(int(self.duration / step) + 1)]


def _nice(step: float) -> float:
    """The next of 1, 2, 5, 10, … above."""
    power = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def clock(seconds: float) -> str:
    """A time of day's form, as 1:05 for 65 seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def svg(plot: Plot) -> Markup:
    scale = _Scale(plot)
    parts = [*_spans(plot, scale), *_axes(plot, scale)]
    if plot.band:
        parts.append(_band(plot, scale, plot.band))
    parts += _levels(plot, scale)
    for line in plot.lines:
        parts += _line(line, plot.times, scale)
    parts += _labels(plot, scale)
    # The pieces are markup already: what they were made from was escaped then.
    return Markup(
        '<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}"><title>{title}</title>'
        '<text class="plot-title" x="{left}" y="12">{title}</text>{parts}</svg>'
    ).format(width=WIDTH, height=HEIGHT, left=_LEFT, title=plot.title, parts=Markup("").join(parts))


def _text(x: float, y: float, anchor: str, text: str, style: str = "tick") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        style, x, y, anchor, text
    )


def _path(points: Sequence[tuple[float, float]], style: str, close: str = "") -> Markup:
    drawn = "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points) + close
    return Markup('<path class="{}" d="{}"/>').format(style, drawn)


def _spans(plot: Plot, scale: _Scale) -> list[Markup]:
    parts = []
    for number, span in enumerate(plot.spans):
        start, end = scale.x(span.start), scale.x(span.end)
        parts.append(
            Markup('<rect class="step{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>').format(
                number % 2, start, _TOP, max(end - start, 0.5), HEIGHT - _TOP - _BOTTOM
            )
        )
        if end - start > 24:
            parts.append(_text(start + 3, _TOP + 10, "start", span.label, "step-label"))
    return parts


def _axes(plot: Plot, scale: _Scale) -> list[Markup]:
    left, right, bottom = _LEFT, WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = []
    for value in scale.ticks():
        y = scale.y(value)
        parts.append(_path([(left, y), (right, y)], "grid"))
        parts.append(_text(left - 5, y + 4, "end", plot.tick(value)))
    parts += [
        _text(scale.x(time), bottom + 14, "middle", clock(time)) for time in scale.time_ticks()
    ]
    parts.append(_path([(left, _TOP), (left, bottom), (right, bottom)], "axis"))
    parts.append(_text(right, HEIGHT - 2, "end", "time since the beginning"))
    return parts


def _band(plot: Plot, scale: _Scale, band: Band) -> Markup:
    outside = {"low": scale.low, "high": scale.high}
    upper = [
        (scale.x(time), scale.y(outside["high"] if value is None else value))
        for time, value in zip(plot.times, band.upper, strict=True)
    ]
    lower = [
        (scale.x(time), scale.y(outside["low"] if value is None else value))
        for time, value in zip(plot.times, band.lower, strict=True)
    ]
    return _path(upper + lower[::-1], "band", "Z") if len(upper) > 1 else Markup("")


def _levels(plot: Plot, scale: _Scale) -> list[Markup]:
    return [
        _path([(_LEFT, scale.y(level.value)), (WIDTH - _RIGHT, scale.y(level.value))], level.style)
        for level in plot.levels
    ]


def _line(line: Line, times: Sequence[float], scale: _Scale) -> list[Markup]:
    """One path for each stretch without a gap; a value by itself is a dot."""
    stretches: list[list[tuple[float, float]]] = [[]]
    for time, value in zip(times, line.values, strict=True):
        if value is None:
            stretches.append([])
        else:
            stretches[-1].append((scale.x(time), scale.y(value)))
    parts = []
    for points in stretches:
        if len(points) > 1:
            parts.append(_path(points, line.style))
        elif points:
            parts.append(
                Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="2.5"/>').format(
                    line.style, *points[0]
                )
            )
    return parts


def _labels(plot: Plot, scale: _Scale) -> list[Markup]:
    """At the right end of each line and level, moved apart where they would overlap."""
    wanted = [(scale.y(level.value), level.label, level.style) for level in plot.levels]
    for line in plot.lines:
        last = next((value for value in reversed(line.values) if value is not None), None)
        if last is not None:
            wanted.append((scale.y(last), line.label, line.style))
    parts, y = [], -_LABEL_HEIGHT
    wanted.sort()
    # From the top down, with room left for those below.
    for number, (place, label, style) in enumerate(wanted):
        lowest = HEIGHT - _BOTTOM - _LABEL_HEIGHT * (len(wanted) - 1 - number)
        y = max(min(place, lowest), y + _LABEL_HEIGHT)
        parts.append(_text(WIDTH - _RIGHT + 5, y + 4, "start", label, f"label {style}-text"))
    return parts
