"""All figures of a study by name: for the report, and as files for a paper."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from MedUSISLib.study.analysis.results import StudyResults
from MedUSISLib.study.report import charts
from MedUSISLib.synthesis.report_figure import png_bytes

DESCRIPTION = "Figure of a reader study, made by MedUSIS"
FORESTS = ("jafroc", "auc", "lesion-sensitivity")
"""Comparisons of arms that get a forest."""

_PAGE_DPI, _PRINT_DPI = 150, 300


def figures(results: StudyResults) -> dict[str, Figure]:
    """What there is to be drawn: "readers", "roc", "froc", "afroc", "differences-...", "agreement", "times"."""
    return {name: figure for name, figure in _drawn(results) if figure is not None}


def page_pictures(results: StudyResults) -> Mapping[str, bytes]:
    """The figures as PNG files for a screen."""
    return {name: png_bytes(figure, _PAGE_DPI, DESCRIPTION) for name, figure in figures(results).items()}


def write_figures(results: StudyResults, folder: str | Path) -> list[Path]:
    """Write every figure for print: PNG with 300 dots per inch, and SVG with text as text.

    Parameters
    ----------
    results : StudyResults
    folder : str or Path
        Made when it is not there.

    Returns
    -------
    list of Path
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in figures(results).items():
        picture, drawing = folder / f"{name}.png", folder / f"{name}.svg"
        picture.write_bytes(png_bytes(figure, _PRINT_DPI, DESCRIPTION))
        drawing.write_bytes(_svg(figure))
        written += [picture, drawing]
    return written


def _drawn(results: StudyResults) -> Iterator[tuple[str, Figure | None]]:
    turing, pairs, lesions = results.visual_turing, results.forced_choice, results.lesion_reading
    choices = turing or pairs
    if choices is not None:
        rows = [(one.reader, one.correct) for one in (*choices.readers, choices.pooled)]
        yield "readers", charts.shares_figure(rows, 0.5, results.margin, "Readers")
    curves = turing.curves if turing is not None else lesions.curves if lesions is not None else ()
    for kind in ("roc", "froc", "afroc"):
        yield kind, charts.curves_figure(curves, kind)
    for name in FORESTS:
        found = lesions.comparisons.get(name) if lesions is not None else None
        if found is not None:
            yield f"differences-{name}", charts.differences_figure(found, found.title)
    yield "agreement", charts.agreement_figure(results.agreement)
    yield "times", charts.times_figure(results.times)


def _svg(figure: Figure) -> bytes:
    stream = io.BytesIO()
    # Text stays text, and the same figure gives the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "medusis"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Description": DESCRIPTION})
    return stream.getvalue()
