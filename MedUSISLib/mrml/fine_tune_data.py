"""What a scan found, as a person reads it: one row for each case, with its problems in plain words."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from MedUSISLib.dataset.model import CaseEntry, Dataset, FileEntry, Problem

_ADVICE = {
    "UNMAPPED_LABELS": "say below what its values mean, then scan again",
    "MAYBE_CT": "look at it; if it is a CT, leave it out and convert it again from DICOM",
    "NAME_DISAGREES": "look at it; if it is not what the table says, leave it out",
    "DERIVED_MAP": "leave it out; if it is an MR, tick it",
    "NO_LABELS": "nothing, for a head: the training labels it itself; otherwise segment it and scan again",
    "MIXED_SEQUENCES": "choose one sequence in the settings below",
}
"""In place of the advice that tells how to edit dataset.json by hand."""


@dataclass(frozen=True)
class ProblemLine:
    """A problem in words: "error", "warning" or "note", what it is, and what to do."""

    code: str
    severity: str
    text: str
    advice: str


@dataclass(frozen=True)
class CaseRow:
    """A line of the table.

    Attributes
    ----------
    key : str
        Id of the case; of a file that is in no case the file's.
    person : str
    holds : str
        "CT, segmentation", "MR T1w", ...
    split : str
        "train", "validation" or "test".
    used : bool
        Whether training takes it.
    changeable : bool
        False for a file that is in no case: it can only be looked at.
    problems : tuple of ProblemLine
        The worst first.
    pictures : tuple of Path
        Three planes each, where the scan drew them; not all need be there.
    files : tuple of str
        Role and path, for the person at this computer only.
    mr, labels : str or None
        Ids of these files.
    sequence : str
        Of the MR; empty when nobody said.
    mapping : str
        What the values of the label map mean; empty when nobody said.
    """

    key: str
    person: str
    holds: str
    split: str
    used: bool
    changeable: bool
    problems: tuple[ProblemLine, ...] = ()
    pictures: tuple[Path, ...] = ()
    files: tuple[str, ...] = ()
    mr: str | None = None
    labels: str | None = None
    sequence: str = ""
    mapping: str = ""

    @property
    def worst(self) -> str:
        """Severity of the worst problem; empty without one."""
        return self.problems[0].severity if self.problems else ""


@dataclass(frozen=True)
class SideCount:
    """What training gets of one side of the split: people, MRs, label maps, CTs without labels."""

    people: int
    mr: int
    labels: int
    ct_alone: int


@dataclass(frozen=True)
class DatasetView:
    """A scanned dataset for the window.

    Attributes
    ----------
    folder : Path
        That holds dataset.json.
    schema : str
        Label schema.
    rows : tuple of CaseRow
    sides : dict of str to SideCount
        What is used, by side of the split.
    sequences : dict of str to int
        How many used MRs of which sequence; "" where nobody said.
    general : tuple of ProblemLine
        Problems of the dataset as a whole.
    roots : tuple of Path
        Folders that were scanned.
    voxels : int
        Of all used volumes together.
    mr_without_labels : int
        Used MRs that have no label map of their own.
    changes : tuple of str
        What is new since the scan before.
    """

    folder: Path
    schema: str
    rows: tuple[CaseRow, ...]
    sides: dict[str, SideCount]
    sequences: dict[str, int]
    general: tuple[ProblemLine, ...]
    roots: tuple[Path, ...]
    voxels: int
    mr_without_labels: int
    changes: tuple[str, ...]

    def sides_of(self, sequence: str) -> dict[str, int]:
        """How many MRs of a sequence ("": of any) each side has."""
        found: Counter[str] = Counter()
        for row in self.rows:
            if row.used and row.mr is not None and sequence in ("", row.sequence):
                found[row.split] += 1
        return dict(found)


def view_of(dataset: Dataset) -> DatasetView:
    """The dataset as the window shows it."""
    used = {case.id: case for case in dataset.used_cases()}
    sides_of_people = {person.id: person.split for person in dataset.people}
    by_case: dict[str, list[ProblemLine]] = {}
    by_file: dict[str, list[ProblemLine]] = {}
    general: list[ProblemLine] = []
    for problem in dataset.problems:
        if problem.case is not None:
            by_case.setdefault(problem.case, []).append(_line(problem))
        elif problem.file is not None:
            by_file.setdefault(problem.file, []).append(_line(problem))
        else:
            general.append(_line(problem))
    rows = [
        _case_row(dataset, case, used.get(case.id), sides_of_people[case.person], by_case.get(case.id, []))
        for case in dataset.cases
    ]
    in_cases = {file for case in dataset.cases for file in case.files()}
    rows += [
        _file_row(dataset, file, sides_of_people[file.person], by_file[file.id])
        for file in dataset.files
        if file.id not in in_cases and file.id in by_file
    ]
    mrs = [case for case in used.values() if case.mr is not None]
    files = {file for case in used.values() for file in case.files()}
    return DatasetView(
        folder=dataset.folder,
        schema=dataset.label_schema,
        rows=tuple(rows),
        sides={side: _count(dataset, side) for side in ("train", "validation", "test")},
        sequences=dict(Counter(dataset.file(case.mr).sequence for case in mrs if case.mr is not None)),
        general=tuple(general),
        roots=tuple((dataset.folder / root).resolve() for root in dataset.roots),
        voxels=sum(_voxels(dataset.file(file)) for file in files),
        mr_without_labels=sum(case.labels is None for case in mrs),
        changes=tuple(dataset.changes),
    )


def summary(view: DatasetView) -> str:
    """What training gets, in a sentence or two."""
    train, validation, test = (view.sides[side] for side in ("train", "validation", "test"))
    used = sum(row.used for row in view.rows)
    cases = sum(row.changeable for row in view.rows)
    text = (
        f"{used} of {cases} cases are used. To learn from: {_side_text(train)}. "
        f"To be judged on: {_side_text(validation)}."
    )
    return text + (f" Kept aside for a test of your own: {_people(test.people)}." if test.people else "")


def _side_text(side: SideCount) -> str:
    parts = [
        _number(side.mr, "MR", "MRs"),
        _number(side.labels, "segmentation", "segmentations"),
        _number(side.ct_alone, "CT without one", "CTs without one"),
    ]
    listed = ", ".join(part for part in parts if part) or "nothing"
    return f"{listed} ({_people(side.people)})" if side.people else "nobody"


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}" if count else ""


def _people(count: int) -> str:
    return f"{count} person" if count == 1 else f"{count} people"


def _count(dataset: Dataset, side: str) -> SideCount:
    cases = list(dataset.used_cases(side))  # type: ignore[arg-type]
    return SideCount(
        people=len({case.person for case in cases}),
        mr=sum(case.mr is not None for case in cases),
        labels=sum(case.labels is not None for case in cases),
        ct_alone=sum(case.ct is not None and case.labels is None for case in cases),
    )


def _line(problem: Problem) -> ProblemLine:
    from MedUSISLib.dataset.problems import PROBLEMS

    kind = PROBLEMS.get(problem.code)
    title = kind.title[:1].upper() + kind.title[1:] if kind else problem.code
    text = f"{title}: {problem.what}" if problem.what else title
    return ProblemLine(problem.code, problem.severity, text, _ADVICE.get(problem.code, problem.advice))


def _sorted(lines: list[ProblemLine]) -> tuple[ProblemLine, ...]:
    return tuple(sorted(lines, key=lambda line: ("error", "warning", "note").index(line.severity)))


def _case_row(
    dataset: Dataset, case: CaseEntry, used: CaseEntry | None, split: str, problems: list[ProblemLine]
) -> CaseRow:
    mr = dataset.file(case.mr) if case.mr else None
    labels = dataset.file(case.labels) if case.labels else None
    return CaseRow(
        key=case.id,
        person=case.person,
        holds=", ".join(_holdings(dataset, case, used)),
        split=split,
        used=used is not None,
        changeable=True,
        problems=_sorted(problems),
        pictures=tuple(_pictures(dataset, case)),
        files=tuple(
            f"{role}: {os.path.normpath(dataset.path_of(file_id))}"
            for role, file_id in (("CT", case.ct), ("MR", case.mr), ("Segmentation", case.labels))
            if file_id is not None
        ),
        mr=case.mr,
        labels=case.labels,
        sequence=mr.sequence if mr is not None else "",
        mapping=(labels.mapping or dataset.labels or "") if labels is not None else "",
    )


def _holdings(dataset: Dataset, case: CaseEntry, used: CaseEntry | None) -> Iterator[str]:
    for role, title in (("ct", "CT"), ("mr", "MR"), ("labels", "segmentation")):
        file_id = getattr(case, role)
        if file_id is None:
            continue
        file = dataset.file(file_id)
        text = f"MR {file.sequence}" if role == "mr" and file.sequence else title
        left_out = used is not None and getattr(used, role) is None
        yield f"({text} left out)" if left_out else text


def _pictures(dataset: Dataset, case: CaseEntry) -> Iterator[Path]:
    from MedUSISLib.dataset.model import picture_name

    for role in ("ct", "mr", "labels"):
        if getattr(case, role) is not None:
            yield dataset.folder / picture_name(case.id, role)


def _file_row(dataset: Dataset, file: FileEntry, split: str, problems: list[ProblemLine]) -> CaseRow:
    titles = {"ct": "CT", "mr": "MR", "labels": "segmentation"}
    return CaseRow(
        key=file.id,
        person=file.person,
        holds=f"{titles.get(file.role, 'file')} in no case",
        split=split,
        used=False,
        changeable=False,
        problems=_sorted(problems),
        files=(f"{titles.get(file.role, 'File')}: {os.path.normpath(dataset.path_of(file))}",),
        labels=file.id if file.role == "labels" else None,
        mapping=(file.mapping or "") if file.role == "labels" else "",
    )


def _voxels(file: FileEntry) -> int:
    """After resampling to 1 mm in the plane; the slices stay."""
    if file.size_ijk is None or file.spacing_mm is None:
        return 0
    (i, j, k), (x, y, _) = file.size_ijk, file.spacing_mm
    return int(i * x * j * y * k)
