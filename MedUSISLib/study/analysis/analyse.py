"""A study's folder and answers become results: which analyses it gets, from which answers, and what is left out."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from MedUSISLib import __version__
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.private_folder import private_folder
from MedUSISLib.progress import Progress, StepsOnly
from MedUSISLib.study.analysis.agreement import agreement_of_counts, agreement_on
from MedUSISLib.study.analysis.asked import (
    confidence_question,
    marks_question,
    presence_question,
    source_question,
)
from MedUSISLib.study.analysis.attempts import Notes
from MedUSISLib.study.analysis.completeness import analysed_readers, materials, reader_summaries
from MedUSISLib.study.analysis.forms import closing, profiles
from MedUSISLib.study.analysis.lesion_counts import number_of_marks
from MedUSISLib.study.analysis.lesion_reading import lesion_reading
from MedUSISLib.study.analysis.result_parts import AcceptedLeak, LeakSummary
from MedUSISLib.study.analysis.result_statistics import Agreement, TimeSummary
from MedUSISLib.study.analysis.results import StudyResults
from MedUSISLib.study.analysis.times import times
from MedUSISLib.study.analysis.visual_turing import chosen_image, forced_choice, right_or_wrong, visual_turing
from MedUSISLib.study.answers import ANSWERS_NAME
from MedUSISLib.study.key import load_study
from MedUSISLib.study.leaks import LeakReport, check_study
from MedUSISLib.study.merging import answer_sources, merge_answers, rows_of_study
from MedUSISLib.study.protocol import Protocol
from MedUSISLib.study.readings import Reading, readings
from MedUSISLib.study.record import load_record
from MedUSISLib.study.statistics.from_readings import first_readings
from MedUSISLib.study.versioned import fingerprint


def analyse(
    study: str | Path,
    answers: Sequence[str | Path] | str | Path = (),
    progress: Progress | None = None,
    at: datetime | None = None,
) -> StudyResults:
    """Analyse a study as its protocol says.

    Parameters
    ----------
    study : str or Path
        The study's folder, with key and truth.
    answers : str, Path or sequence of them
        Files of answers, or URLs; merged in a private place. Empty: the study's own ``answers.sqlite``.
    progress : Progress, optional
    at : datetime, optional
        The time that the results carry; now when not given.

    Returns
    -------
    StudyResults
        An analysis that the study is too small for is a note in it, not an error.

    Raises
    ------
    MedUSISError
        As `merge_answers`; BAD_SETTING when there is no answer at all.

    Examples
    --------
    ::

        results = analyse("my-study", ["R1.sqlite", "R2.sqlite"])
        print(headline(results))
    """
    progress, study = progress or Progress(), Path(study)
    protocol, key = load_study(study)
    sources = answer_sources(study, answers)
    progress.stage("read the answers")
    with private_folder() as folder:
        merged_file = folder / ANSWERS_NAME
        merged = merge_answers(study, sources, merged_file)
        found = readings(study, merged_file)
        rows = rows_of_study(study, merged_file)
    if not found:
        raise MedUSISError(ErrorCode.BAD_SETTING, "there are no answers to analyse", "merge answers of a reader first")
    progress.checkpoint()
    notes = Notes()
    summaries = reader_summaries(merged, found, profiles(rows))
    analysed = analysed_readers(summaries, notes)
    counts = materials(key, found, notes)
    kept = [reading for reading in found if not reading.training]
    progress.stage("check for leaks")
    leaks = check_study(study, progress)
    progress.stage("analyse")
    results = StudyResults(
        study=protocol.id,
        title=protocol.title,
        kind=protocol.kind,
        design=protocol.design,
        protocol_sha256=fingerprint(protocol),
        binding_sha256=protocol.binding_sha256,
        confidence=1 - protocol.analysis.alpha,
        margin=protocol.analysis.equivalence_margin,
        analysed_at=(at or datetime.now(UTC)).isoformat(timespec="seconds"),
        software=_software(),
        materials=counts,
        readers=summaries,
        analysed_readers=analysed,
        notes=(),
        closing=closing(protocol, rows),
        leak_check=_leak_summary(leaks),
        accepted_leaks=tuple(
            AcceptedLeak(**one.model_dump())
            for one in load_record(study).acceptances
            if any((one.code, one.what) == (f.code, f.what) for f in leaks.accepted)
        ),
        protocol=protocol.model_dump(mode="json"),
    )
    if leaks.leaks:
        notes.add("LEAKS", "The study leaks now: " + "; ".join(f"{f.title}: {f.what}" for f in leaks.leaks) + ".")
    parts: dict[str, object] = {}
    if not first_readings(kept):
        notes.add("NOTHING_READ", "Nothing but training was answered.")
    elif protocol.kind == "visual-turing":
        parts = _turing(protocol, kept, analysed, notes)
    else:
        parts = _lesions(study, protocol, kept, analysed, notes)
        parts["lesion_reading"] = lesion_reading(study, protocol, key, kept, analysed, notes, StepsOnly(progress))
    return results.model_copy(update={**parts, "notes": notes.all()})


def _turing(protocol: Protocol, kept: Sequence[Reading], analysed: Sequence[str], notes: Notes) -> dict[str, object]:
    source = source_question(protocol)
    if source is None:
        notes.add(
            "NO_QUESTION",
            "The protocol has no question with the options real and synthetic (or left and right), so that no answer "
            "could be right or wrong.",
        )
        return {"times": times(first_readings(kept), lambda reading: "")}
    level = 1 - protocol.analysis.alpha
    options = ("real", "synthetic") if protocol.design == "forced-choice" else source.options
    chosen = [reading for reading in kept if reading.reader in analysed]
    parts: dict[str, object] = {
        "times": times(first_readings(kept), lambda reading: right_or_wrong(reading, source.id)),
    }
    if protocol.design == "forced-choice":
        parts["forced_choice"] = forced_choice(protocol, kept, analysed, source, notes)
        chosen = chosen_image(chosen, source.id)
    else:
        parts["visual_turing"] = visual_turing(protocol, kept, analysed, source, confidence_question(protocol), notes)
    parts["agreement"] = (agreement_on(chosen, source.id, options, level, notes, shown="what is real"),)
    return parts


def _lesions(
    study: Path, protocol: Protocol, kept: Sequence[Reading], analysed: Sequence[str], notes: Notes
) -> dict[str, object]:
    level = 1 - protocol.analysis.alpha
    chosen = [reading for reading in kept if reading.reader in analysed]
    presence, marks = presence_question(protocol), marks_question(protocol)
    found: list[Agreement] = []
    first = first_readings(chosen)
    for arm in (arm.id for arm in protocol.arms if any(reading.arm == arm.id for reading in first)):
        if presence is not None:
            found.append(agreement_on(chosen, presence.id, presence.options, level, notes, arm, "lesion or none"))
        if marks is not None:
            counts = [float(number_of_marks(reading, marks.id)) for reading in first]
            found.append(agreement_of_counts(first, counts, "marks", arm, level, notes))
    summary: tuple[TimeSummary, ...] = times(first_readings(kept), lambda reading: "")
    return {"agreement": tuple(found), "times": summary}


def _leak_summary(report: LeakReport) -> LeakSummary:
    return LeakSummary.model_validate(
        {
            "images": dict(report.images),
            "findings": [
                {
                    "code": f.code,
                    "severity": "accepted" if f in report.accepted else f.severity,
                    "title": f.title,
                    "what": f.what,
                }
                for f in report.findings
            ],
        }
    )


def _software() -> dict[str, str]:
    found = {"MedUSIS": __version__, "Python": platform.python_version()}
    for name in ("numpy", "scipy", "matplotlib"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
