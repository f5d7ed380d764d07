"""Answers beside the truth: the long table that every analysis and every export begins with."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from MedUSISLib.imaging.reading import read_label_map
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.study.answers import Row
from MedUSISLib.study.key import TRUTH_FOLDER, Key, KeyLesion, load_study
from MedUSISLib.study.lesions import Outcome, ScoredMark, score_marks
from MedUSISLib.study.merging import rows_of_study
from MedUSISLib.study.protocol import Protocol
from MedUSISLib.study.questions import Mark


@dataclass(frozen=True)
class Reading:
    """One answered stage of a trial with everything that is known about it.

    Attributes
    ----------
    reader, trial, session, position, stage
        Which showing it was.
    arm : str
        The protocol's; "pair" in a forced choice.
    case, stratum, status
        ``status``: whether the case has a lesion, None when nobody knows.
    right_answer : str
        In a visual Turing test; the side of the real image in a forced choice.
    training, repeat_of
        Training is never analysed; a repeat only for the agreement of a reader with himself.
    values : mapping
        Question id to the last answer; marks as they were stored.
    revisions : int
        How often it was corrected.
    seconds : float
        Of the first answer and all corrections together.
    marks : tuple of ScoredMark
        Every mark with what it is worth; empty without a mask.
    lesions : tuple of KeyLesion
        All lesions of the case; those that no mark hit were missed.
    scored : bool
        Whether there is a mask, so that marks could be scored.
    """

    reader: str
    trial: str
    session: int
    position: int
    stage: int
    arm: str
    case: str
    stratum: str
    status: bool | None
    right_answer: str
    training: bool
    repeat_of: str
    values: Mapping[str, Any]
    revisions: int
    seconds: float
    at: str
    marks: tuple[ScoredMark, ...] = ()
    lesions: tuple[KeyLesion, ...] = field(default=())
    scored: bool = False

    @property
    def hits(self) -> int:
        """Lesions that were found."""
        return sum(mark.outcome is Outcome.HIT for mark in self.marks)

    @property
    def false_positives(self) -> int:
        """Marks where nothing is."""
        return sum(mark.outcome is Outcome.FALSE_POSITIVE for mark in self.marks)


def readings(study: str | Path, answers: str | Path) -> list[Reading]:
    """Every answered stage, by reader and in the order of reading.

    Parameters
    ----------
    study : str or Path
        The study's folder with key and truth.
    answers : str or Path
        Merged answers: a file or a URL.

    Raises
    ------
    MedUSISError
        As ``merging.merge_answers``.
    """
    study = Path(study)
    protocol, key = load_study(study)
    history: dict[tuple[str, int], list[Row]] = {}
    for row in rows_of_study(study, answers):
        if row.kind == "answer":
            history.setdefault((row.trial, row.stage), []).append(row)
    labels: dict[str, Volume | None] = {}
    found = []
    for reader in protocol.readers:
        for trial in key.trials_of(reader):
            for stage in range(len(trial.stages)):
                rows = history.get((trial.id, stage))
                if rows:
                    found.append(_reading(study, protocol, key, rows, labels))
    return found


def _reading(
    study: Path, protocol: Protocol, key: Key, rows: Sequence[Row], labels: dict[str, Volume | None]
) -> Reading:
    last = max(rows, key=lambda row: row.revision)
    trial = key.trial_of[last.trial]
    case = key.case_of[trial.case]
    if case.id not in labels:
        path = study / TRUTH_FOLDER / f"{case.id}.nii.gz"
        labels[case.id] = read_label_map(path, "the truth of a case") if case.has_mask else None
    truth = labels[case.id]
    asked = next((question.id for question in protocol.questions if question.kind == "marks"), "")
    marks = [Mark.model_validate(mark) for mark in last.values.get(asked, [])]
    return Reading(
        reader=last.reader,
        trial=trial.id,
        session=trial.session,
        position=trial.position,
        stage=last.stage,
        arm=trial.stages[last.stage].arm,
        case=case.id,
        stratum=case.stratum,
        status=case.status,
        right_answer=trial.right_answer,
        training=trial.training,
        repeat_of=trial.repeat_of,
        values={q.id: last.values[q.id] for q in protocol.questions if q.id in last.values},
        revisions=last.revision,
        seconds=sum(row.seconds for row in rows),
        at=last.at,
        marks=tuple(score_marks(marks, truth, protocol.hit_rule)) if truth is not None else (),
        lesions=case.lesions,
        scored=truth is not None,
    )


COLUMNS = (
    "reader", "session", "position", "trial", "stage", "arm", "case", "stratum", "status", "right_answer", "training",
    "repeat_of", "revisions", "seconds", "at", "hits", "lesions", "false_positives",
)  # fmt: skip


def readings_csv(found: Sequence[Reading]) -> str:
    """The readings as a table, one column more for each question; marks as their number.

    Text that a spreadsheet would take for a formula gets a quote in front.
    """
    asked = list(dict.fromkeys(name for reading in found for name in reading.values))
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow([*COLUMNS, *(f"answer_{name}" for name in asked)])
    for reading in found:
        cells: list[Any] = [getattr(reading, name) for name in COLUMNS]
        cells[COLUMNS.index("lesions")] = len(reading.lesions) if reading.scored else ""
        if not reading.scored:
            cells[COLUMNS.index("hits")] = cells[COLUMNS.index("false_positives")] = ""
        table.writerow([cell(value) for value in (*cells, *(reading.values.get(name) for name in asked))])
    return stream.getvalue()


def cell(value: Any) -> Any:
    """A value as a cell of a table; text that a spreadsheet would take for a formula gets a quote in front."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return len(value)
    if isinstance(value, str) and value[:1] in "=+-@\t\r" and value:
        return f"'{value}"
    return value
