"""Curves as a picture, drawn with Pillow: Slicer has no matplotlib, and a plot in a view would take the view away."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

Color = tuple[int, int, int]

_PAPER: Color = (255, 255, 255)
_INK: Color = (45, 50, 58)
_SOFT: Color = (118, 126, 136)
_GRID: Color = (228, 231, 235)
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 22, 18
_LEGEND_ROW = 15
_SMOOTH = 2
"""Lines are drawn so many times larger and shrunk, which smooths them."""


@dataclass(frozen=True)
class Line:
    """One curve: points (x, y), its colour, a name for the legend (empty: none), thick or thin, with points or not."""

    points: Sequence[tuple[float, float]]
    color: Color
    name: str = ""
    width: float = 1.6
    dots: bool = False


@dataclass(frozen=True)
class Level:
    """A dashed horizontal line at a value, with a few words on it."""

    value: float
    text: str
    color: Color = _SOFT


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes
    ----------
    title : str
    lines : sequence of Line
    levels : sequence of Level
    marks : sequence of (x, color)
        Thin vertical lines: a phase begins, a roll-back happened.
    star : (x, y), optional
        The best point.
    logarithmic : bool
        Powers of ten on the vertical axis, where all values are above 0.
    """

    title: str
    lines: Sequence[Line]
    levels: Sequence[Level] = ()
    marks: Sequence[tuple[float, Color]] = ()
    star: tuple[float, float] | None = None
    logarithmic: bool = False


def draw(panels: Sequence[Panel], last_x: float, width: int = 400, height: int = 128, scale: int = 2) -> Image:
    """Panels one below the other, on a common horizontal axis of iterations.

    Parameters
    ----------
    panels : sequence of Panel
    last_x : float
        End of the horizontal axis, which begins at 0.
    width, height : int
        Of a panel, in points; a legend takes more.
    scale : int
        Pixels for each point.
    """
    from PIL import Image, ImageDraw

    heights = [height + _LEGEND_ROW * len(_legend_rows(panel, width)) for panel in panels]
    shape = (width, sum(heights) + _BOTTOM)
    large = Image.new("RGB", (shape[0] * scale * _SMOOTH, shape[1] * scale * _SMOOTH), _PAPER)
    places = []
    top = 0
    for panel, panel_height in zip(panels, heights, strict=True):
        rows = len(_legend_rows(panel, width))
        box = (_LEFT, top + _TOP + _LEGEND_ROW * rows, width - _RIGHT, top + panel_height - 6)
        places.append((panel, top, _Axes(panel, box, max(last_x, 1.0))))
        top += panel_height
    pen = _Pen(ImageDraw.Draw(large), scale * _SMOOTH)
    for panel, _, axes in places:
        _draw_curves(pen, panel, axes)
    small = large.resize((shape[0] * scale, shape[1] * scale), Image.Resampling.LANCZOS)
    pen = _Pen(ImageDraw.Draw(small), scale)
    for panel, panel_top, axes in places:
        _write_words(pen, panel, panel_top, axes, width)
    for x in _ticks(0, max(last_x, 1.0), 5):
        across = places[-1][2].x(x) if places else 0
        anchor = "ra" if across > width - 2 * _RIGHT else "ma"
        pen.text((min(across, width - 2), shape[1] - _BOTTOM + 1), _number(x), _SOFT, anchor, 10)
    return small


def write_png(panels: Sequence[Panel], last_x: float, path: Path, **size: Any) -> Path:
    """Draw and write a PNG; whoever reads it meanwhile sees the old picture or the new one."""
    temporary = path.with_suffix(".tmp")
    draw(panels, last_x, **size).save(temporary, "PNG", compress_level=1)
    temporary.replace(path)
    return path


class _Axes:
    """Where values lie on the paper."""

    def __init__(self, panel: Panel, box: tuple[float, float, float, float], last_x: float) -> None:
        self.left, self.top, self.right, self.bottom = box
        self._last_x = last_x
        values = [y for line in panel.lines for _, y in line.points if math.isfinite(y)]
        values += [level.value for level in panel.levels if math.isfinite(level.value)]
        self.logarithmic = panel.logarithmic and bool(values) and min(values) > 0
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if self.logarithmic:
            low, high = math.log10(low), math.log10(high)
        margin = 0.08 * (high - low) or abs(high) * 0.1 or 0.5
        self.low, self.high = low - margin, high + margin

    def x(self, value: float) -> float:
        return self.left + (self.right - self.left) * min(1.0, max(0.0, value / self._last_x))

    def y(self, value: float) -> float:
        value = math.log10(value) if self.logarithmic else value
        return self.bottom - (self.bottom - self.top) * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        if not self.logarithmic:
            return _ticks(self.low, self.high, 4)
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        for steps in ((1,), (1, 3), (1, 2, 5)):
            found = [step * 10.0**power for power in powers for step in steps]
            found = [value for value in found if self.low <= math.log10(value) <= self.high]
            if len(found) >= 2:
                break
        return found[:: max(1, len(found) // 4)]


class _Pen:
    """Draws in points on a larger paper."""

    def __init__(self, on: Any, scale: int) -> None:
        self._on, self._scale = on, scale

    def line(self, points: Sequence[tuple[float, float]], color: Color, width: float) -> None:
        scaled = [(x * self._scale, y * self._scale) for x, y in points]
        self._on.line(scaled, fill=color, width=max(1, round(width * self._scale)), joint="curve")

    def dashes(self, y: float, left: float, right: float, color: Color) -> None:
        x = left
        while x < right:
            self.line([(x, y), (min(x + 5, right), y)], color, 1.2)
            x += 9

    def dot(self, x: float, y: float, radius: float, color: Color, rim: Color | None = None) -> None:
        corners = [value * self._scale for value in (x - radius, y - radius, x + radius, y + radius)]
        self._on.ellipse(corners, fill=color, outline=rim, width=round(1.2 * self._scale))

    def text(self, place: tuple[float, float], text: str, color: Color, anchor: str, size: int) -> None:
        where = (place[0] * self._scale, place[1] * self._scale)
        self._on.text(where, text, fill=color, font=_font(size * self._scale), anchor=anchor)


def _draw_curves(pen: _Pen, panel: Panel, axes: _Axes) -> None:
    for value in axes.ticks():
        pen.line([(axes.left, axes.y(value)), (axes.right, axes.y(value))], _GRID, 0.8)
    for x, color in panel.marks:
        pen.line([(axes.x(x), axes.top), (axes.x(x), axes.bottom)], color, 0.9)
    pen.line([(axes.left, axes.top), (axes.left, axes.bottom), (axes.right, axes.bottom)], _SOFT, 0.9)
    for level in panel.levels:
        if math.isfinite(level.value):
            pen.dashes(axes.y(level.value), axes.left, axes.right, level.color)
    for line in panel.lines:
        points = [(axes.x(x), axes.y(y)) for x, y in line.points if math.isfinite(y)]
        if len(points) > 1:
            pen.line(points, line.color, line.width)
        if line.dots or len(points) == 1:
            for x, y in points:
                pen.dot(x, y, 2.0, line.color)
    if panel.star is not None:
        pen.dot(axes.x(panel.star[0]), axes.y(panel.star[1]), 4.2, _PAPER, _INK)
        pen.dot(axes.x(panel.star[0]), axes.y(panel.star[1]), 2.2, _INK)


def _write_words(pen: _Pen, panel: Panel, top: float, axes: _Axes, width: int) -> None:
    pen.text((8, top + 5), panel.title, _INK, "la", 11)
    for number, row in enumerate(_legend_rows(panel, width)):
        x = 8.0
        for line in row:
            y = top + _TOP + _LEGEND_ROW * number + 3
            pen.line([(x, y), (x + 8, y)], line.color, 2)
            pen.text((x + 11, y), line.name, _SOFT, "lm", 10)
            x += _legend_width(line)
    for value in axes.ticks():
        pen.text((axes.left - 4, axes.y(value)), _number(value), _SOFT, "rm", 10)
    for level in panel.levels:
        if math.isfinite(level.value):
            below = axes.y(level.value) - axes.top < 14
            place = (axes.right - 2, axes.y(level.value) + (2 if below else -2))
            pen.text(place, level.text, level.color, "ra" if below else "rd", 10)


def _legend_rows(panel: Panel, width: int) -> list[list[Line]]:
    rows: list[list[Line]] = []
    free = 0.0
    for line in (line for line in panel.lines if line.name):
        if _legend_width(line) > free:
            rows.append([])
            free = width - 16
        rows[-1].append(line)
        free -= _legend_width(line)
    return rows


def _legend_width(line: Line) -> float:
    return float(11 + _font(10).getlength(line.name) + 8)


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers between two values.

    Examples
    --------
    >>> _ticks(0, 1200, 5), _ticks(0.031, 0.052, 4)
    ([0.0, 200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0], [0.035, 0.04, 0.045, 0.05])
    """
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.8)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    digits = max(0, 2 - math.floor(math.log10(step)))
    return [round(number * step, digits) for number in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


_fonts: dict[int, Any] = {}


def _font(size: int) -> Any:
    if size not in _fonts:
        from PIL import ImageFont

        _fonts[size] = ImageFont.load_default(size)
    return _fonts[size]
