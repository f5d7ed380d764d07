"""``results.json``: everything that was found in a study, validated, with a version; counts beside every share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from MedUSISLib.study.analysis.result_parts import (
    AcceptedLeak,
    ForcedChoice,
    FormSummary,
    LeakSummary,
    LesionReading,
    Materials,
    ReaderSummary,
    VisualTuring,
)
from MedUSISLib.study.analysis.result_statistics import (
    Agreement,
    DifferenceOf,
    Note,
    TimeSummary,
)
from MedUSISLib.study.versioned import Identifier, Migration, Part, Sha256, read_versioned

RESULTS_NAME = "results.json"
MIGRATIONS: Mapping[int, Migration] = {}
"""Version 1 is the first."""


class StudyResults(Part):
    """Contents of ``results.json``."""

    version: Literal[1] = 1
    study: Identifier
    title: str
    kind: str
    design: str
    protocol_sha256: Sha256 = Field(description="of the whole protocol")
    binding_sha256: Sha256 = Field(description="of what packages and answers are tied to")
    confidence: float
    margin: float
    analysed_at: str
    software: dict[str, str]
    materials: Materials
    readers: tuple[ReaderSummary, ...]
    analysed_readers: tuple[str, ...] = Field(description="whose answers the analysis over readers is made of")
    notes: tuple[Note, ...]
    visual_turing: VisualTuring | None = None
    forced_choice: ForcedChoice | None = None
    lesion_reading: LesionReading | None = None
    agreement: tuple[Agreement, ...] = ()
    times: tuple[TimeSummary, ...] = ()
    closing: tuple[FormSummary, ...] = ()
    leak_check: LeakSummary
    accepted_leaks: tuple[AcceptedLeak, ...] = ()
    protocol: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """Single figures, for a result event."""
        return {
            "study": self.study,
            "readers": len(self.readers),
            "complete_readers": sum(reader.complete for reader in self.readers),
            "answers": self.materials.analysed,
            "notes": len(self.notes),
            "headline": headline(self),
        }


def headline(results: StudyResults) -> str:
    """The main result in one sentence."""
    if results.visual_turing is not None and results.visual_turing.accuracy is not None:
        return results.visual_turing.accuracy.sentence
    if results.forced_choice is not None and results.forced_choice.correct is not None:
        return results.forced_choice.correct.sentence
    if results.lesion_reading is not None:
        for name in ("jafroc", "auc"):
            found = results.lesion_reading.comparisons.get(name)
            if found is not None and found.main.differences:
                return f"{found.title}: " + "; ".join(_difference_text(d) for d in found.main.differences)
    return "no analysis over readers and cases was possible; see the notes"


def _difference_text(d: DifferenceOf) -> str:
    if d.value is None or d.low is None or d.high is None:
        return f"{d.first} - {d.second} not defined"
    p = "p not defined" if d.p_value is None else "p < 0.0001" if d.p_value < 1e-4 else f"p = {d.p_value:.4f}"
    return f"{d.first} - {d.second} {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}], {p}"


def load_results(path: str | Path) -> StudyResults:
    """Read ``results.json``; a folder means the one in it.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE or BAD_SETTING.
    """
    path = Path(path)
    path = path / RESULTS_NAME if path.is_dir() else path
    return read_versioned(path, StudyResults, MIGRATIONS, "the results of the study")
