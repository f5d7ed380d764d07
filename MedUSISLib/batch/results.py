"""The results of a batch in the order in which a person should look at them: what is most remarkable first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from MedUSISLib.batch.folder import case_folder
from MedUSISLib.batch.states import CaseRow, CaseState
from MedUSISLib.small_files import read_small_file
from MedUSISLib.strict_json import parse_json
from MedUSISLib.synthesis.quality_guide import UNCERTAINTY, Level, number_at

QUALITY_FILE = "quality.json"
REPORT_FILE = "report.html"
_URGENCY = {Level.WORRY: 0, Level.LOOK: 1, Level.UNKNOWN: 2, Level.OK: 3}


@dataclass(frozen=True)
class CaseResult:
    """A case with the numbers of its result.

    Attributes
    ----------
    row : CaseRow
    quality : mapping
        Its quality.json; empty when it is not done, or when the file cannot be read.
    report : bool
        Whether its report stands in its folder.
    """

    row: CaseRow
    quality: Mapping[str, Any] = field(default_factory=dict)
    report: bool = False

    @property
    def verdict(self) -> Level:
        """The worst of the flags; ``UNKNOWN`` for a case without numbers."""
        try:
            return Level(str(self.quality.get("verdict")))
        except ValueError:
            return Level.UNKNOWN

    @property
    def review(self) -> bool | None:
        """The generator's own review flag; None where there is no bound to compare with."""
        value = self.quality.get("review", self.row.review)
        return value if isinstance(value, bool) else None

    @property
    def flags(self) -> list[Mapping[str, Any]]:
        """What is remarkable, in sentences; the worst first."""
        flags = self.quality.get("flags")
        return [flag for flag in flags if isinstance(flag, Mapping)] if isinstance(flags, list) else []

    def count(self, level: Level) -> int:
        """How many flags are of this level."""
        return sum(flag.get("level") == level.value for flag in self.flags)

    @property
    def beyond_bound(self) -> float | None:
        """Global uncertainty over the generator's bound; above 1 raises the review flag."""
        value = UNCERTAINTY.value(self.quality)
        bound = number_at(self.quality, "uncertainty.threshold")
        return value / bound if value is not None and bound else None

    @property
    def urgency(self) -> tuple[Any, ...]:
        """Sorts the worst first: review flag, verdict, number of flags, uncertainty; what is not done comes last."""
        return (
            self.row.state is not CaseState.DONE,
            self.row.state is not CaseState.FAILED,
            self.review is not True,
            _URGENCY[self.verdict],
            -self.count(Level.WORRY),
            -self.count(Level.LOOK),
            -(self.beyond_bound or 0.0),
            self.row.number,
        )


def read_results(folder: Path) -> list[CaseResult]:
    """The cases of the batch in a folder, the most urgent first.

    Raises
    ------
    MedUSISError
        As `Manifest.open`.
    """
    from MedUSISLib.batch.manifest import Manifest

    with Manifest.open(folder, read_only=True) as manifest:
        rows = manifest.rows()
    return sorted((_result(row, case_folder(folder, row.number)) for row in rows), key=lambda one: one.urgency)


def _result(row: CaseRow, folder: Path) -> CaseResult:
    if row.state is not CaseState.DONE:
        return CaseResult(row)
    try:
        quality = parse_json(read_small_file(folder / QUALITY_FILE))
    except (OSError, ValueError):
        quality = {}
    return CaseResult(row, quality if isinstance(quality, dict) else {}, (folder / REPORT_FILE).is_file())
