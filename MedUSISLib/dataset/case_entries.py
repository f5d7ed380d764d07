"""Cases of dataset.json: put together from the files, with the edits of an earlier one kept, and looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from MedUSISLib.anatomy.mapping import load_mapping
from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.dataset.case_look import CaseLook, CaseTask
from MedUSISLib.dataset.file_entries import ScannedFile
from MedUSISLib.dataset.model import CaseEntry, Dataset, FoundInCase
from MedUSISLib.dataset.pairing import Candidate, pair
from MedUSISLib.dataset.problems import PROBLEMS
from MedUSISLib.errors import MedUSISError

_EDITABLE = ("ct", "mr", "labels", "use")


def paired_cases(files: Sequence[ScannedFile]) -> list[CaseEntry]:
    """Cases as the scan alone would write them."""
    candidates = [
        Candidate(
            id=file.entry.id,
            name=file.item.name,
            person=file.entry.person,
            role="ignore" if file.is_mask else file.entry.role,
            session=file.entry.session,
            sequence=file.entry.sequence,
            geometry=file.measurement.geometry,
            labels=len(file.entry.labels or ()),
            duplicate=file.duplicate,
        )
        for file in files
        if file.measurement.geometry is not None
    ]
    return [
        CaseEntry(
            id=found.id,
            person=found.person,
            ct=found.ct,
            mr=found.mr,
            labels=found.labels,
            found=FoundInCase(ct=found.ct, mr=found.mr, labels=found.labels),
        )
        for found in pair(candidates)
    ]


def keep_case_edits(cases: list[CaseEntry], files: Sequence[ScannedFile], previous: Dataset | None) -> int:
    """Carry over what a person changed in the cases, and the cases that he made; how many fields that were."""
    if previous is None:
        return 0
    persons = {file.entry.id: file.entry.person for file in files}
    by_id = {case.id: case for case in cases}
    kept = 0
    for old in previous.cases:
        if any(persons.get(file) != old.person for file in old.files()):
            continue
        new = by_id.get(old.id)
        if new is None:
            if old.found is None:
                cases.append(old.model_copy(update={"coverage": None}))
                kept += 1
            continue
        if old.found is None:
            continue
        for name in _EDITABLE:
            if getattr(old, name) != getattr(old.found, name):
                setattr(new, name, getattr(old, name))
                kept += 1
    return kept


def case_tasks(dataset: Dataset, files: Mapping[str, ScannedFile], schema: LabelSchema) -> list[CaseTask]:
    """What to read for each case."""
    tasks = []
    for case in dataset.cases:
        labels = files[case.labels] if case.labels else None
        ct = files[case.ct] if case.ct else None
        tasks.append(
            CaseTask(
                ct=ct.item if ct else None,
                mr=files[case.mr].item if case.mr else None,
                labels=labels.item if labels else None,
                ct_in_hu=ct is not None and not any(code == "NOT_HU" for code, _ in ct.problems),
                colors=value_colors(dataset.mapping_of(labels.entry), schema) if labels else {},
            )
        )
    return tasks


def value_colors(mapping: str | None, schema: LabelSchema) -> dict[int, tuple[int, int, int]]:
    """Colours of label values: those of their classes, where the mapping is known."""
    if mapping is None:
        return {}
    try:
        known = load_mapping(mapping, schema).index_of_value
    except MedUSISError:
        return {}
    return {value: schema.classes[index].color for value, index in known.items() if value}


def note_looks(
    cases: Sequence[CaseEntry], looks: Sequence[CaseLook], files: Mapping[str, ScannedFile]
) -> list[tuple[str, str, str]]:
    """Coverage into the cases, trouble with labels to the label files; returns (case id, code, what)."""
    noted = []
    for case, look in zip(cases, looks, strict=True):
        case.coverage = look.coverage
        for code, what in look.problems:
            noted.append((case.id, code, what))
        labels = files[case.labels] if case.labels else None
        if labels is not None and any(PROBLEMS[code].severity == "error" for code, _ in look.problems):
            assert labels.entry.found is not None
            labels.entry.found.use = False
            if "use" not in labels.edited:
                labels.entry.use = False
        if labels is not None and (grids := _grids(case, files)):
            noted.append((case.id, "OTHER_GRID", grids))
        if case.ct is not None and case.labels is None:
            noted.append((case.id, "NO_LABELS", "no segmentation of this CT was found"))
    return noted


def decide_case_use(cases: Sequence[CaseEntry], files: Mapping[str, ScannedFile]) -> None:
    """A case without a usable image (or, when it never had one, label map) is not used, unless a person said so."""
    for case in cases:
        main = [file for file in (case.ct, case.mr) if file is not None] or [case.labels or ""]
        use = any(files[file].entry.use for file in main)
        if case.found is not None:
            edited = case.use != case.found.use
            case.found.use = use
            if not edited:
                case.use = use


def group_of_people(files: Sequence[ScannedFile], dataset: Dataset) -> dict[str, str]:
    """What each person has to train with: "ct", "mr", "ct+mr", "labels" or "nothing"; see `split_people`."""
    has: dict[str, set[str]] = {file.entry.person: set() for file in files}
    for case in dataset.used_cases():
        images = {role for role in ("ct", "mr") if getattr(case, role) is not None}
        has[case.person] |= images or {"labels"}
    return {person: "+".join(sorted(what - {"labels"} or what)) or "nothing" for person, what in has.items()}


def sequences(files: Mapping[str, ScannedFile], dataset: Dataset) -> Counter[str]:
    """How many used MRs of which sequence."""
    return Counter(files[case.mr].entry.sequence for case in dataset.used_cases() if case.mr is not None)


def _grids(case: CaseEntry, files: Mapping[str, ScannedFile]) -> str:
    labels = files[case.labels or ""].measurement.geometry
    for role, file_id in (("CT", case.ct), ("MR", case.mr)):
        image = files[file_id].measurement.geometry if file_id else None
        if image is not None and labels is not None and not image.same_grid(labels, 0.05):
            spacing = " x ".join(f"{s:.3g}" for s in labels.spacing_mm)
            return f"{' x '.join(map(str, labels.size_ijk))} voxels of {spacing} mm, other than the {role}'s"
    return ""
