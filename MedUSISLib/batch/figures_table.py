"""quality.csv: one row for each case, the most remarkable first, for a spreadsheet or a statistics program.

Names of columns are those of quality.json with ``_`` for ``.``; they keep their meaning, and later versions may add
some: read columns by their names.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from MedUSISLib.batch.folder import QUALITY_NAME
from MedUSISLib.batch.results import CaseResult, read_results
from MedUSISLib.imaging.writing import atomic_path
from MedUSISLib.synthesis.quality_guide import MEASURES, Level

Cell = str | int | float | None


def write_quality_csv(folder: Path) -> None:
    """Write ``quality.csv`` into the folder of a batch, whole or not at all.

    Numbers have a point and no thousands; true and false are written so; what was not measured is empty. Cases are
    called case-0001 and so on: which patients they are says ``key.csv`` alone.

    Raises
    ------
    MedUSISError
        As `Manifest.open`; DISK_FULL.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for result in read_results(folder):
        writer.writerow([_written(value(result)) for value in COLUMNS.values()])
    with atomic_path(folder / QUALITY_NAME, ".csv") as half:
        half.write_text(text.getvalue(), encoding="utf-8", newline="\n")


def _part(*keys: str) -> Callable[[CaseResult], Cell]:
    def value(result: CaseResult) -> Cell:
        item: Any = result.quality
        for key in keys:
            item = item.get(key) if isinstance(item, Mapping) else None
        return item if isinstance(item, int | float) else None

    return value


def _codes(result: CaseResult) -> str:
    """Codes of the warnings, each once."""
    warnings = result.quality.get("warnings")
    warnings = warnings if isinstance(warnings, list) else []
    return " ".join(sorted({str(one.get("code", "")) for one in warnings if isinstance(one, Mapping)}))


def _verdict(result: CaseResult) -> Cell:
    return result.verdict.value if result.quality else None


COLUMNS: dict[str, Callable[[CaseResult], Cell]] = {
    "case": lambda result: result.row.name,
    "state": lambda result: result.row.state.value,
    "review": lambda result: result.review,
    "verdict": _verdict,
    "worrying": lambda result: result.count(Level.WORRY) if result.quality else None,
    "to_look_at": lambda result: result.count(Level.LOOK) if result.quality else None,
    **{measure.key.replace(".", "_"): _part(*measure.key.split(".")) for measure in MEASURES},
    "uncertainty_threshold": _part("uncertainty", "threshold"),
    "uncertainty_passes": _part("uncertainty", "passes"),
    "segmentation_coverage": _part("segmentation", "coverage"),
    "segmentation_was_resampled": _part("segmentation", "was_resampled"),
    "warnings": _codes,
    "error": lambda result: result.row.code or None,
    "attempts": lambda result: result.row.attempts,
    "seconds": lambda result: None if result.row.seconds is None else round(result.row.seconds, 1),
    "peak_memory_mb": _part("peak_memory_mb"),
}
"""Columns and where their values come from."""


def _written(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
