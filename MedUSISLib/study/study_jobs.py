"""The jobs "new-study" and "analyse-study": what a command line, a reading room and a cluster call alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MedUSISLib.output_directory import atomic_output_directory
from MedUSISLib.progress import Progress
from MedUSISLib.study.requests import AnalyseStudyRequest, NewStudyRequest


@dataclass(frozen=True)
class Made:
    """A summary for the result event."""

    figures: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """As the job's result says it."""
        return self.figures


def new_study_job(request: NewStudyRequest, progress: Progress) -> Made:
    """Make a study; remarks of the leak check are warnings.

    Raises
    ------
    MedUSISError
        As ``building.new_study``.
    """
    from MedUSISLib.study.building import new_study
    from MedUSISLib.study.usual_protocols import protocol_of

    protocol = protocol_of(request.protocol, request.study_id, request.readers, request.seed, request.repeats)
    made = new_study(
        request.table,
        protocol,
        request.out,
        request.overwrite,
        progress=progress,
        accept=request.accept,
        reason=request.reason,
    )
    for remark in made.remarks:
        progress.warning("REMARK", remark)
    return Made({k: v for k, v in made.summary().items() if k != "remarks"} | {"key": str(request.out / "key.json")})


def analyse_study_job(request: AnalyseStudyRequest, progress: Progress) -> Made:
    """Analyse a study and write ``results.json``, ``report.html`` and ``figures``, all or nothing.

    Raises
    ------
    MedUSISError
        As ``analysis.analyse.analyse``; BAD_SETTING when the folder holds other things.
    """
    from MedUSISLib.study.analysis.analyse import analyse
    from MedUSISLib.study.analysis.results import RESULTS_NAME
    from MedUSISLib.study.report.figures import write_figures
    from MedUSISLib.study.report.report import write_report
    from MedUSISLib.study.versioned import to_json

    with atomic_output_directory(request.out, request.overwrite) as folder:
        results = analyse(request.study, request.answers, progress)
        progress.stage("write the report")
        (folder / RESULTS_NAME).write_text(to_json(results), encoding="utf-8", newline="\n")
        path = write_report(results, folder)
        write_figures(results, folder / "figures")
    return Made({**results.summary(), "report": str(Path(request.out) / path.name)})
