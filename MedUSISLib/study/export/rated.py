"""What iMRMC, MRMCaov and RJafroc get: readers who read everything, first readings, cases as whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.analysis.asked import confidence_question, source_question
from MedUSISLib.study.analysis.completeness import crossed
from MedUSISLib.study.protocol import Protocol
from MedUSISLib.study.readings import Reading
from MedUSISLib.study.statistics.from_readings import first_readings

_SIGN = {"real": -1.0, "synthetic": 1.0, "unsure": 0.0}


@dataclass(frozen=True)
class Exported:
    """What was written: rows of data, and what a user must know of it."""

    rows: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class RatedRow:
    """One rating: ``case`` is a whole number, ``truth`` 1 for a positive case, a higher ``rating`` is more positive."""

    reader: str
    test: str
    case: int
    truth: int
    rating: float


@dataclass(frozen=True)
class Rated:
    """Ratings of all readers for all cases in all tests, and what was left out."""

    rows: tuple[RatedRow, ...]
    meaning: str
    remarks: tuple[str, ...]

    @property
    def readers(self) -> tuple[str, ...]:
        """In order of appearance."""
        return tuple(dict.fromkeys(row.reader for row in self.rows))

    @property
    def tests(self) -> tuple[str, ...]:
        """In order of appearance."""
        return tuple(dict.fromkeys(row.test for row in self.rows))

    @property
    def truth_of(self) -> dict[int, int]:
        """Truth by case, cases in order."""
        return dict(sorted({row.case: row.truth for row in self.rows}.items()))


def whole_readers(readings: Sequence[Reading]) -> tuple[list[str], list[str]]:
    """Readers who read whatever anybody read, and the others."""
    cells: dict[str, set[tuple[str, str]]] = {}
    for reading in first_readings(readings):
        cells.setdefault(reading.reader, set()).add((reading.case, reading.arm))
    every = set().union(*cells.values()) if cells else set()
    done = [reader for reader, seen in cells.items() if seen == every]
    return done, [reader for reader in cells if reader not in done]


def crossed_readings(readings: Sequence[Reading]) -> tuple[list[Reading], tuple[str, ...]]:
    """First readings of readers who read everything (of all when there is none), of cases that all of them read.

    Raises
    ------
    MedUSISError
        BAD_SETTING when nothing is left, as where each reader reads each case in one arm only.
    """
    done, others = whole_readers(readings)
    remarks = []
    readers = done or others
    if done and others:
        remarks.append(f"left out, not done yet: {', '.join(others)}")
    arms = list(dict.fromkeys(reading.arm for reading in first_readings(readings)))
    kept, left_out = crossed(readings, readers, arms)
    if left_out:
        remarks.append(f"{left_out} cases that somebody did not read in every arm are left out")
    if not kept:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "no case was read by all readers in all arms",
            "this format needs that; export CSV tables instead",
        )
    return kept, tuple(remarks)


def rated(readings: Sequence[Reading], protocol: Protocol) -> Rated:
    """Ratings of a lesion reading (how likely a lesion) or of a visual Turing test (how likely synthetic).

    Raises
    ------
    MedUSISError
        BAD_SETTING for a forced choice, and where there are no ratings.
    """
    question = confidence_question(protocol)
    if protocol.design == "forced-choice" or question is None:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "this study has no rating of single cases, which the format is made of",
            "export CSV tables instead",
        )
    if protocol.kind == "visual-turing":
        return _rated_images(readings, protocol, question.id)
    kept, remarks = crossed_readings([reading for reading in readings if reading.status is not None])
    given = [(r, r.values.get(question.id)) for r in kept]
    rows = [
        RatedRow(r.reader, r.arm, case_number(r.case), int(bool(r.status)), float(value))
        for r, value in given
        if isinstance(value, (int, float))
    ]
    return Rated(tuple(rows), "how likely a lesion, truth 1: the case has one", _with_missing(remarks, given, rows))


def case_number(case: str) -> int:
    """The whole number of a case: "C012" is 12."""
    return int(case[1:])


def _rated_images(readings: Sequence[Reading], protocol: Protocol, confidence: str) -> Rated:
    """Images are cases: ten times the number of the case, and 1 for its real, 2 for its synthetic image."""
    source = source_question(protocol)
    if source is None:
        raise MedUSISError(ErrorCode.BAD_SETTING, "the protocol has no question with the options real and synthetic")
    done, others = whole_readers(readings)
    remarks = (f"left out, not done yet: {', '.join(others)}",) if done and others else ()
    given = [r for r in first_readings(readings) if r.reader in (done or others)]
    rows = []
    for reading in given:
        said, sure = str(reading.values.get(source.id)), reading.values.get(confidence)
        if said in _SIGN and (isinstance(sure, (int, float)) or said == "unsure"):
            synthetic = reading.right_answer == "synthetic"
            number = 10 * case_number(reading.case) + (2 if synthetic else 1)
            rating = _SIGN[said] * float(sure or 0.0) + 0.0  # no -0
            rows.append(RatedRow(reading.reader, "image", number, int(synthetic), rating))
    meaning = "confidence, negative for the answer real, 0 for unsure; truth 1: the image is synthetic"
    return Rated(tuple(rows), meaning, _with_missing(remarks, given, rows))


def _with_missing(remarks: Sequence[str], given: Sequence[object], rows: Sequence[RatedRow]) -> tuple[str, ...]:
    if not rows:
        raise MedUSISError(ErrorCode.BAD_SETTING, "no reader gave a rating", "export CSV tables instead")
    missing = len(given) - len(rows)
    return (*remarks, f"{missing} answers without a rating are left out") if missing else tuple(remarks)
