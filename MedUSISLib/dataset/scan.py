"""``medusis dataset scan``: from folders to ``dataset.json`` and ``dataset.html``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from MedUSISLib import __version__
from MedUSISLib.anatomy.mapping import load_mapping
from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.dataset.case_entries import (
    case_tasks,
    decide_case_use,
    group_of_people,
    keep_case_edits,
    note_looks,
    paired_cases,
    sequences,
)
from MedUSISLib.dataset.case_look import CaseLook, CaseTask, look_at_case
from MedUSISLib.dataset.changes import changes_since, inherited_sides
from MedUSISLib.dataset.file_entries import (
    ScannedFile,
    check_labels,
    find_duplicates,
    hand_roles,
    item_ids,
    keep_edits,
    problem,
    scanned_files,
)
from MedUSISLib.dataset.grid_partners import partners_by_grid
from MedUSISLib.dataset.items import NO_TEXT, Inventory, Item, find_items
from MedUSISLib.dataset.measuring import Measurement, measure
from MedUSISLib.dataset.model import (
    FILE_NAME,
    PAGE_NAME,
    PICTURES_NAME,
    PREVIOUS_NAME,
    Dataset,
    PersonEntry,
    load_dataset,
    picture_name,
    relative_to,
)
from MedUSISLib.dataset.people import people_of
from MedUSISLib.dataset.problems import SEVERITIES
from MedUSISLib.dataset.request import ScanRequest, SplitShares
from MedUSISLib.dataset.split import SPLITS, Split, split_people
from MedUSISLib.dataset.workers import default_jobs, for_each
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.output_directory import atomic_output_directory
from MedUSISLib.progress import Progress

# Of the memory that is free, all readers together.
_MEMORY_SHARE = 0.6
_CROWDED_PEOPLE = 8


@dataclass(frozen=True)
class ScanResult:
    """What was written."""

    dataset: Dataset
    out: Path

    def summary(self) -> dict[str, Any]:
        """Single figures, for the terminal and the result event; no names."""
        dataset = self.dataset
        return {
            "people": len(dataset.people),
            "files": len(dataset.files),
            "cases": len(dataset.cases),
            "cases_used": sum(1 for _ in dataset.used_cases()),
            **{f"{split}_people": sum(p.split == split for p in dataset.people) for split in SPLITS},
            **{f"{severity}s": sum(p.severity == severity for p in dataset.problems) for severity in SEVERITIES},
        }


def scan_dataset(request: ScanRequest, progress: Progress | None = None) -> ScanResult:
    """Read folders and write what they hold.

    The life of a scan: folders are searched; each file is read once, by several processes, and recognised by its
    voxels; names, BIDS and PatientID group files into people, geometry pairs labels with images; each pair is read
    together for its picture and its coverage; what a person had edited in an earlier ``dataset.json`` is put over it;
    people without a side of the split get one; everything appears in ``request.out`` at once.

    Parameters
    ----------
    request : ScanRequest
    progress : Progress, optional

    Returns
    -------
    ScanResult

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``: no folder, nothing in it, an earlier dataset.json that cannot be read. ``BAD_SETTING``:
        unknown schema or mapping, output folder with other things in it.
    """
    progress = progress or Progress()
    schema = load_schema(request.label_schema)
    if request.labels is not None:
        load_mapping(request.labels, schema)
    out = request.out.expanduser().resolve()
    previous = load_dataset(out, scanning=True) if (out / FILE_NAME).is_file() else None
    mapping = request.labels if request.labels is not None or previous is None else previous.labels
    roots = tuple(dict.fromkeys(folder.expanduser().resolve() for folder in request.folders))
    # Refused before the work, not after it.
    with atomic_output_directory(out, overwrite=request.overwrite or previous is not None) as partial_out:
        progress.stage("finding files")
        inventory = find_items(roots, out, progress)
        jobs = request.jobs or default_jobs()
        files = _read_files(inventory.items, roots, out, schema, mapping, previous, jobs, progress)
        dataset = Dataset(
            software=f"medusis {__version__}",
            label_schema=request.label_schema,
            labels=mapping,
            seed=_given(request.seed, previous.seed if previous else None, 0),
            shares=_given(request.split, previous.shares if previous else None, SplitShares()),
            roots=tuple(relative_to(root, out) for root in roots),
            files=[file.entry for file in files],
            left_out=dict(sorted(inventory.left_out.items())),
            folder=out,
        )
        looks = _cases(dataset, files, schema, previous, jobs, progress)
        _split(dataset, files, previous)
        _dataset_problems(dataset, files)
        dataset.changes = changes_since(previous, dataset)
        progress.stage("writing")
        _write(dataset, looks, schema, partial_out, previous, out)
    _tell(dataset, inventory, progress)
    return ScanResult(dataset, out)


def _given(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _read_files(
    items: Sequence[Item],
    roots: tuple[Path, ...],
    out: Path,
    schema: LabelSchema,
    mapping: str | None,
    previous: Dataset | None,
    jobs: int,
    progress: Progress,
) -> list[ScannedFile]:
    ids = item_ids(items, roots)
    progress.stage("reading files")
    roles = hand_roles(previous)
    measurements = _measurements(items, [roles.get(i, "") for i in ids], jobs, progress)
    people = people_of(items)
    partners = partners_by_grid([m.kind for m in measurements], people, [m.geometry for m in measurements])
    for number, image in partners.items():
        people[number] = people[image]
    files = scanned_files(items, measurements, people, ids, out, schema, mapping)
    for number, image in partners.items():
        what = f"its name does not say whose it is; {items[image].name} has exactly its grid"
        files[number].problems.append(("PAIRED_BY_GRID", what))
    keep_edits(files, previous)
    find_duplicates(files)
    check_labels(files, schema, mapping, out)
    for file in files:
        file.decide_use()
    return files


def _measurements(items: Sequence[Item], roles: Sequence[str], jobs: int, progress: Progress) -> list[Measurement]:
    """All items, several at once; those too large for that afterwards, one at a time."""
    import psutil

    free = int(psutil.virtual_memory().available * _MEMORY_SHARE)
    found: dict[int, Measurement] = {}
    for limit, processes in ((free // jobs, jobs), (free, 1)):
        left = [number for number in range(len(items)) if number not in found]
        tasks = [(items[number], roles[number]) for number in left]
        work = partial(_measure_one, limit_bytes=limit)
        for position, answer in for_each(work, tasks, processes, progress, _broken_file):
            if answer.kind or limit == free:
                found[left[position]] = answer if answer.kind else _too_large(answer)
        if len(found) == len(items):
            break
    return [found[number] for number in range(len(items))]


def _measure_one(task: tuple[Item, str], limit_bytes: int) -> Measurement:
    try:
        return measure(task[0], task[1], limit_bytes)
    except Exception as error:  # one odd file among thousands must not end the scan
        what = f"reading it failed unexpectedly ({type(error).__name__})"
        return Measurement("unknown", what, (("DAMAGED", what),))


def _broken_file(_: object) -> Measurement:
    return Measurement("unknown", "reading it crashed", (("DAMAGED", "reading it ended the process that read it"),))


def _too_large(answer: Measurement) -> Measurement:
    what = f"reading it takes {answer.needs_bytes / 1e9:.1f} GB of memory"
    return Measurement("unknown", what, (("TOO_LARGE", what),))


def _cases(
    dataset: Dataset,
    files: Sequence[ScannedFile],
    schema: LabelSchema,
    previous: Dataset | None,
    jobs: int,
    progress: Progress,
) -> list[CaseLook]:
    """Put the cases into the dataset, read them, and note what is wrong with files and cases."""
    by_id = {file.entry.id: file for file in files}
    dataset.cases = paired_cases(files)
    keep_case_edits(dataset.cases, files, previous)
    progress.stage("comparing labels and images")
    tasks = case_tasks(dataset, by_id, schema)
    looks = [CaseLook()] * len(tasks)
    for number, look in for_each(_look_at_one, tasks, jobs, progress, _broken_case):
        looks[number] = look
    noted = note_looks(dataset.cases, looks, by_id)
    decide_case_use(dataset.cases, by_id)
    case_of = {file: case.id for case in reversed(dataset.cases) for file in case.files()}
    for file in files:
        file_id = file.entry.id
        dataset.problems += [problem(c, w, file=file_id, case=case_of.get(file_id)) for c, w in file.problems]
    dataset.problems += [problem(code, what, case=case) for case, code, what in noted]
    return looks


def _look_at_one(task: CaseTask) -> CaseLook:
    try:
        return look_at_case(task)
    except Exception as error:  # as above
        return CaseLook(problems=(("NOT_COMPARED", f"it failed unexpectedly ({type(error).__name__})"),))


def _broken_case(_: CaseTask) -> CaseLook:
    return CaseLook(problems=(("NOT_COMPARED", "it ended the process that read it"),))


def _split(dataset: Dataset, files: Sequence[ScannedFile], previous: Dataset | None) -> None:
    """Everyone keeps the side he has; when seed or shares are new, only those whom a person put there."""
    fixed: dict[str, Split] = {}
    by_hand: dict[str, Split] = {}
    if previous is not None:
        same = (previous.seed, previous.shares) == (dataset.seed, dataset.shares)
        by_hand = {p.id: p.split for p in previous.people if p.found_split not in (None, p.split)}
        fixed = {**inherited_sides(dataset, previous), **{p.id: p.split for p in previous.people}} if same else by_hand
    # used_cases needs people, whose split is what is looked for: any will do.
    groups = group_of_people(files, dataset)
    shares: dict[Split, float] = {split: getattr(dataset.shares, split) for split in SPLITS}
    chosen = split_people(groups, shares, dataset.seed, fixed)
    before = {p.id: p.found_split for p in previous.people} if previous else {}
    dataset.people = [
        PersonEntry(id=person, split=split, found_split=before.get(person) if person in by_hand else split)
        for person, split in sorted(chosen.items())
    ]


def _dataset_problems(dataset: Dataset, files: Sequence[ScannedFile]) -> None:
    found = sequences({file.entry.id: file for file in files}, dataset)
    named = {name or "not said": count for name, count in found.items()}
    if len(set(found) - {""}) > 1:
        listed = ", ".join(f"{count} {name}" for name, count in sorted(named.items()))
        dataset.problems.append(problem("MIXED_SEQUENCES", f"the MRs that are used: {listed}"))
    owners = Counter(case.person for case in dataset.cases)
    if len(dataset.cases) >= _CROWDED_PEOPLE and owners and owners.most_common(1)[0][1] > len(dataset.cases) / 2:
        person, count = owners.most_common(1)[0]
        what = f"{count} of {len(dataset.cases)} cases belong to one person, {person}"
        dataset.problems.append(problem("ONE_PERSON_MANY", what))
    order = {severity: n for n, severity in enumerate(SEVERITIES)}
    dataset.problems.sort(key=lambda p: (order[p.severity], p.code))


def _write(
    dataset: Dataset,
    looks: Sequence[CaseLook],
    schema: LabelSchema,
    folder: Path,
    previous: Dataset | None,
    out: Path,
) -> None:
    from MedUSISLib.dataset.page import dataset_page

    try:
        for name, text in ((FILE_NAME, dataset.to_json()), (PAGE_NAME, dataset_page(dataset, looks, schema))):
            (folder / name).touch(mode=0o600)  # names of folders are names of patients
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        (folder / PICTURES_NAME).mkdir(mode=0o700)
        for case, look in zip(dataset.cases, looks, strict=True):
            for role, jpeg in look.pictures:
                (folder / picture_name(case.id, role)).write_bytes(jpeg)
        if previous is not None:
            (folder / PREVIOUS_NAME).write_bytes((out / FILE_NAME).read_bytes())
    except OSError as error:
        raise MedUSISError(ErrorCode.DISK_FULL, "the dataset cannot be written", "free some space", out) from error


def _tell(dataset: Dataset, inventory: Inventory, progress: Progress) -> None:
    """Warnings for the log: how many of what; no names of files."""
    for code, count in sorted(Counter(p.code for p in dataset.problems if p.severity != "note").items()):
        progress.warning(code, f"{count} times; the page says where")
    if unnamed := inventory.left_out[NO_TEXT]:
        progress.warning("NAME_NOT_TEXT", f"{unnamed} files have {NO_TEXT.removeprefix('with ')}: rename or copy them")
    foreign = sum(count for suffix, count in inventory.left_out.items() if suffix not in ("other", NO_TEXT))
    if foreign:
        progress.warning("FOREIGN_FORMAT", f"{foreign} files are volumes in formats that MedUSIS does not read")
    for change in dataset.changes:
        progress.warning("RESCAN", change)
