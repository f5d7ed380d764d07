"""The report's montages: three planes through the middle, and axial slices from bottom to top.

Dark, with orientation letters, a scale bar, colour bars, and the caution burned into every synthetic panel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from MedUSISLib.synthesis.report_figure import new_figure, png_bytes
from MedUSISLib.synthesis.report_scene import CONSISTENCY_COLOURS, Scene, Window
from MedUSISLib.synthesis.report_views import Plane
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DARK, PALE, GREY, WARNING = "#0d1117", "#e6edf3", "#8b949e", "#ffd33d"
_STROKE = [withStroke(linewidth=2.0, foreground="black")]


def montage_png(scene: Scene, dpi: int = 160) -> bytes:
    """CT, labels, MR, uncertainty and consistency in three planes through the middle of the anatomy."""
    result = scene.result
    columns: list[tuple[str, Any, Window | None]] = [
        ("CT", scene.ct_picture, scene.ct),
        ("Labels given", scene.label_picture, None),
        ("Synthetic MR", scene.mr_picture, scene.mr),
    ]
    if scene.uncertainty is not None:
        columns.append(("Uncertainty", scene.uncertainty_picture, scene.uncertainty))
    if scene.spread is not None:
        columns.append(("Noise spread", scene.spread_picture, scene.spread))
    columns.append(("Mask consistency", scene.consistency_picture, None))
    shown = [p for p in scene.planes if min(_shape(scene, p)) >= 2] or [scene.planes[0]]
    heights = [scene.extent_mm(p)[0] for p in shown]
    width = max(scene.extent_mm(p)[1] for p in shown)
    gap, side, top, bottom = 0.06, 0.32, 0.42, 0.92
    inch = min((11.6 - side) / len(columns) / width, 13.0 / sum(heights))
    size = (
        side + len(columns) * (width * inch + gap),
        top + bottom + sum(h * inch + gap for h in heights),
    )
    figure = new_figure(size, DARK)
    y = size[1] - top
    for row, plane in enumerate(shown):
        height = heights[row] * inch
        y -= height
        index = scene.centre[plane.normal]
        _text(figure, side * 0.45, y + height / 2, plane.name.capitalize(), size, rotation=90, color=GREY)
        for column, (title, picture, _) in enumerate(columns):
            x = side + column * (width * inch + gap)
            axes = figure.add_axes((x / size[0], y / size[1], width * inch / size[0], height / size[1]))
            _panel(axes, picture(plane, index), scene.extent_mm(plane), title == "Labels given")
            _orientation(axes, plane, above_caution=title == "Synthetic MR")
            if title == "Synthetic MR":
                _burn(axes, width * inch)
            if column == 0:
                _scale_bar(axes, scene.extent_mm(plane))
            if row == 0:
                _text(figure, x + width * inch / 2, size[1] - 0.2, title, size, fontsize=11, weight="bold")
        y -= gap
    for column, (title, _, window) in enumerate(columns):
        x = side + column * (width * inch + gap)
        place = (x + 0.12 * width * inch) / size[0], 0.66 / size[1], 0.76 * width * inch / size[0], 0.09 / size[1]
        if window is not None:
            _colour_bar(figure, place, window)
        elif title == "Mask consistency":
            _consistency_key(figure, (x + width * inch / 2) / size[0], 0.79 / size[1])
        else:
            _text(figure, x + width * inch / 2, 0.7, "class colours: see the legend", size, fontsize=7.5, color=GREY)
    identity = f"{SYNTHETIC_NOTICE}    generator {result.manifest.id} {result.manifest.version}"
    _text(figure, size[0] / 2, 0.15, identity, size, fontsize=10, weight="bold", color=WARNING)
    return png_bytes(figure, dpi)


def series_png(scene: Scene, number: int = 8, dpi: int = 140) -> bytes | None:
    """CT above MR in axial slices from bottom to top of the labelled anatomy; ``None`` when there are fewer than 3."""
    plane = scene.planes[0]
    labels = scene.result.labels.array_kji
    used = [n for n in range(labels.shape[plane.normal]) if np.any(plane.cut(labels, n))]
    if len(used) < 3 or min(_shape(scene, plane)) < 2:
        return None
    number = min(number, len(used))
    # Not the outermost slices: the middles of equal parts.
    picked = [used[int((n + 0.5) * len(used) / number)] for n in range(number)]
    if plane_goes_down(scene, plane):
        picked.reverse()
    height, width = scene.extent_mm(plane)
    inch = 11.6 / number / width
    size = (number * width * inch, 2 * height * inch + 0.3)
    figure = new_figure(size, DARK)
    for column, index in enumerate(picked):
        for row, picture in enumerate((scene.ct_picture, scene.mr_picture)):
            bottom = size[1] - (row + 1) * height * inch
            place = column / number, bottom / size[1], 0.99 / number, height * inch / size[1]
            axes = figure.add_axes(place)
            _panel(axes, picture(plane, index), (height, width), False)
            if column == 0:
                if row == 0:
                    _orientation(axes, plane)
                name = "CT" if row == 0 else "Synthetic MR"
                axes.text(0.03, 0.97, name, transform=axes.transAxes, color=PALE, fontsize=8, va="top", weight="bold")
            if row == 1:
                _burn(axes, width * inch)
    _text(figure, size[0] / 2, 0.13, SYNTHETIC_NOTICE, size, fontsize=9, weight="bold", color=WARNING)
    return png_bytes(figure, dpi)


def plane_goes_down(scene: Scene, plane: Plane) -> bool:
    """True when the slice number grows towards the feet (left, for a sagittal series)."""
    towards = scene.result.ct.geometry.axes[:, 2 - plane.normal]
    return bool(towards[2] < 0)


def _panel(axes: Axes, picture: np.ndarray, extent_mm: tuple[float, float], categorical: bool) -> None:
    height, width = extent_mm
    axes.imshow(
        picture, extent=(0, width, height, 0), interpolation="nearest" if categorical else "bilinear", aspect="equal"
    )
    axes.set_facecolor("black")
    axes.set_axis_off()


def _orientation(axes: Axes, plane: Plane, above_caution: bool = False) -> None:
    bottom_points = 13 if above_caution else 2
    places = (
        (plane.left, 0.0, 0.5, 2, 0, "left", "center"),
        (plane.right, 1.0, 0.5, -2, 0, "right", "center"),
        (plane.top, 0.5, 1.0, 0, -2, "center", "top"),
        (plane.bottom, 0.5, 0.0, 0, bottom_points, "center", "bottom"),
    )
    for letter, x, y, right, up, horizontal, vertical in places:
        axes.annotate(
            letter, (x, y), (right, up), xycoords="axes fraction", textcoords="offset points", color=PALE, fontsize=8,
            ha=horizontal, va=vertical, weight="bold", path_effects=_STROKE,
        )  # fmt: skip


def _burn(axes: Axes, width_inch: float) -> None:
    axes.annotate(
        SYNTHETIC_NOTICE, (0.5, 0), (0, 2), xycoords="axes fraction", textcoords="offset points", color=WARNING,
        ha="center", va="bottom", fontsize=min(9.0, 72 * width_inch / 22), weight="bold", path_effects=_STROKE,
    )  # fmt: skip


def _scale_bar(axes: Axes, extent_mm: tuple[float, float], length_mm: float = 50.0) -> None:
    height, width = extent_mm
    if width < 2 * length_mm:
        return
    x, y = 0.04 * width, 0.955 * height
    axes.plot([x, x + length_mm], [y, y], color=PALE, linewidth=2, path_effects=_STROKE)
    axes.text(
        x, y - 0.015 * height, f"{length_mm / 10:.0f} cm", color=PALE, fontsize=7, va="bottom", path_effects=_STROKE
    )


def _colour_bar(figure: Figure, place: tuple[float, float, float, float], window: Window) -> None:
    axes = figure.add_axes(place)
    bar = figure.colorbar(
        ScalarMappable(Normalize(window.low, window.high), matplotlib.colormaps[window.colours]),
        cax=axes,
        orientation="horizontal",
    )
    bar.set_ticks(np.linspace(window.low, window.high, 3).tolist())
    bar.ax.xaxis.set_major_formatter(_short)
    bar.ax.tick_params(colors=GREY, labelsize=7.5, length=2)
    bar.outline.set_edgecolor("#30363d")
    bar.set_label(window.label, color=GREY, fontsize=7.5, labelpad=1)


def _short(value: float, _position: float) -> str:
    return f"{value:.3g}"


def _consistency_key(figure: Figure, x: float, y: float) -> None:
    patches = [Patch(color=colour, label=label) for colour, label in CONSISTENCY_COLOURS.values()]
    figure.legend(
        handles=patches, loc="upper center", bbox_to_anchor=(x, y), fontsize=7.5, frameon=False, labelcolor=GREY,
        handlelength=1.0, handleheight=0.8, borderaxespad=0, labelspacing=0.2, borderpad=0,
    )  # fmt: skip


def _text(figure: Figure, x: float, y: float, text: str, size: tuple[float, float], **style: Any) -> None:
    style = {"color": PALE, "ha": "center", "va": "center", "fontsize": 9, **style}
    figure.text(x / size[0], y / size[1], text, **style)


def _shape(scene: Scene, plane: Plane) -> tuple[int, int]:
    shape = scene.result.ct.array_kji.shape
    return shape[plane.rows], shape[plane.columns]
