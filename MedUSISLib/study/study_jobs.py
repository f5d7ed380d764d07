"""The jobs of a study (new, check, package, analyse): what a command line, a window and a cluster call alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MedUSISLib.output_directory import atomic_output_directory
from MedUSISLib.progress import Progress
from MedUSISLib.study.requests import AnalyseStudyRequest, CheckStudyRequest, NewStudyRequest, PackageStudyRequest


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


def check_study_job(request: CheckStudyRequest, progress: Progress) -> Made:
    """Look for leaks; ``findings`` has a text for each, leaks first.

    Raises
    ------
    MedUSISError
        As ``leaks.check_study``. A leak is no error here: it is what was asked for.
    """
    from MedUSISLib.study.leaks import check_study

    report = check_study(request.study, progress)
    leaks = set(report.leaks)
    findings = [
        {
            "code": one.code,
            "kind": "accepted" if one in report.accepted else "leak" if one in leaks else "remark",
            "title": one.title,
            "what": one.what,
            "remedy": report.accepted.get(one) or one.remedy,
        }
        for one in report.findings
    ]
    findings.sort(key=lambda one: one["kind"] != "leak")
    return Made({"leaks": len(report.leaks), "images": sum(report.images.values()), "findings": findings})


def package_study_job(request: PackageStudyRequest, progress: Progress) -> Made:
    """Write the packages of readers.

    Raises
    ------
    MedUSISError
        As ``package.write_package``.
    """
    from MedUSISLib.errors import ErrorCode, MedUSISError
    from MedUSISLib.study.key import load_study
    from MedUSISLib.study.package import PACKAGE_SUFFIX, write_package

    protocol, _key = load_study(request.study)
    readers = request.readers or protocol.readers
    try:
        request.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "the folder for the packages cannot be made", "choose another one", request.folder
        ) from error
    files = []
    for reader in readers:
        out = request.folder / f"{protocol.id}-{reader}{PACKAGE_SUFFIX}"
        write_package(request.study, reader, out, progress)
        files.append(out.name)
    return Made({"folder": str(request.folder), "packages": files})


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
