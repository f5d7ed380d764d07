"""The report's charts: the distribution of the uncertainty and the contrast between tissues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from MedUSISLib.synthesis.report_figure import new_figure, png_bytes


def histogram_png(uncertainty: Mapping[str, Any], unit: str, dpi: int = 120) -> bytes | None:
    """Distribution of the standard deviation inside the body; ``None`` without one."""
    histogram = uncertainty.get("histogram")
    if not histogram:
        return None
    edges, counts = np.asarray(histogram["edges"]), np.asarray(histogram["counts"], float)
    figure = new_figure((6.2, 2.7), "white")
    axes = figure.add_axes((0.1, 0.2, 0.87, 0.72))
    axes.bar(edges[:-1], counts / max(counts.sum(), 1) * 100, np.diff(edges), align="edge", color="#4c6ef5")
    lines = [("this volume (root of the mean variance)", uncertainty.get("global"), "#111827", "-")]
    lines.append(("validation bound of the generator", uncertainty.get("threshold"), "#d6336c", "--"))
    for label, variance, colour, style in lines:
        if variance is not None:
            axes.axvline(float(np.sqrt(variance)), color=colour, linestyle=style, linewidth=1.5, label=label)
    axes.set_xlabel("standard deviation over the passes" + (f" ({unit})" if unit else ""), fontsize=8)
    axes.set_ylabel("% of the body", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(0, edges[-1])
    axes.legend(fontsize=7.5, framealpha=0.9, edgecolor="none")
    return png_bytes(figure, dpi)


def contrast_png(intensity: Mapping[str, Any], colours: Mapping[str, Sequence[int]], dpi: int = 120) -> bytes | None:
    """Mean and standard deviation of every class, with the real means of the validation where the bundle has them."""
    rows = [row for row in intensity["classes"] if row["name"] != "background"]
    if not rows:
        return None
    rows = sorted(rows, key=lambda row: row["mean"])
    expected = intensity.get("expected") or {}
    figure = new_figure((6.2, 0.7 + 0.24 * len(rows)), "white")
    height = float(figure.get_size_inches()[1])
    axes = figure.add_axes((0.37, 0.46 / height, 0.6, 1 - 0.56 / height))
    for position, row in enumerate(rows):
        colour = tuple(channel / 255 for channel in colours.get(row["name"], (128, 128, 128)))
        axes.errorbar(row["mean"], position, xerr=row["std"], color="#868e96", linewidth=1.2, capsize=2, zorder=1)
        axes.scatter(row["mean"], position, s=46, color=[colour], edgecolors="#343a40", linewidths=0.8, zorder=2)
        if isinstance(expected.get(row["name"]), int | float):
            axes.scatter(expected[row["name"]], position, s=40, marker="D", facecolors="none", edgecolors="#d6336c")
    if expected:
        axes.scatter([], [], s=40, marker="D", facecolors="none", edgecolors="#d6336c", label="real MR (validation)")
        axes.legend(fontsize=7.5, frameon=False, loc="lower right")
    axes.set_yticks(range(len(rows)), [row["title"] for row in rows], fontsize=8)
    unit = f" ({intensity['unit']})" if intensity["unit"] else ""
    axes.set_xlabel(f"mean and standard deviation{unit}", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="#e9ecef", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    return png_bytes(figure, dpi)
