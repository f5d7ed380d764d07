"""``medusis dataset check``: is an edited dataset.json still whole, and can one train with it?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from MedUSISLib.anatomy.mapping import load_mapping
from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.dataset.file_entries import label_problems
from MedUSISLib.dataset.fingerprint import voxel_fingerprints
from MedUSISLib.dataset.items import Item
from MedUSISLib.dataset.measuring import read_item
from MedUSISLib.dataset.model import CaseEntry, Dataset, FileEntry, load_dataset
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_files import is_dicom_file
from MedUSISLib.progress import Progress


@dataclass(frozen=True)
class CheckReport:
    """What a check that passed looked at; ``remarks`` are sentences without names."""

    cases: int
    people: int
    files: int
    remarks: tuple[str, ...]


def check_dataset(path: str | Path, content: bool = False, progress: Progress | None = None) -> CheckReport:
    """Check that all that training would use is there and fits together.

    Parameters
    ----------
    path : str or Path
        ``dataset.json``, or the folder that holds it.
    content : bool
        Read the voxels of every used file again and compare them with what was scanned.
    progress : Progress, optional

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``: not JSON, or a used file is gone or has other content. ``BAD_SETTING``: an edit broke
        it, no case is used, nobody is in training. ``UNKNOWN_LABELS``: used labels have values without a class.
    """
    progress = progress or Progress()
    dataset = load_dataset(path)
    schema = load_schema(dataset.label_schema)
    if dataset.labels is not None:
        load_mapping(dataset.labels, schema)
    cases = list(dataset.used_cases())
    if not cases:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "no case of the dataset is used", "set use to true for cases and files", path
        )
    if not any(dataset.split_of(case.person) == "train" for case in cases):
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "nobody of the dataset is in training", "set split to train for some people", path
        )
    used = {file: None for case in cases for file in case.files()}
    progress.stage("checking files")
    for number, file_id in enumerate(used):
        progress.checkpoint()
        file = dataset.file(file_id)
        _check_file(dataset, file, schema)
        if content:
            _check_content(dataset, file)
        progress.step(number + 1, len(used))
    people = {case.person for case in cases}
    return CheckReport(len(cases), len(people), len(used), tuple(_remarks(dataset)))


def item_of(dataset: Dataset, file: FileEntry) -> Item:
    """The file as the reader takes it; of a DICOM folder the slices of its series."""
    path = dataset.path_of(file)
    if not file.series_uid:
        return Item(path, path.name, path.parent)
    import pydicom

    slices = []
    for one in sorted(path.iterdir()):
        if one.is_file() and is_dicom_file(one):
            header = pydicom.dcmread(one, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
            if str(header.get("SeriesInstanceUID", "")) == file.series_uid:
                slices.append(one)
    return Item(path, path.name, path.parent, files=tuple(slices), series_uid=file.series_uid)


def _check_file(dataset: Dataset, file: FileEntry, schema: LabelSchema) -> None:
    path = dataset.path_of(file)
    if not path.exists():
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            f"a file of the dataset is no longer there ({file.role}, {file.id})",
            "scan again, or move dataset.json together with the data",
            path,
        )
    if file.role == "labels" and file.labels:
        for code, what in label_problems(file.labels, dataset.mapping_of(file), schema):
            if code == "UNMAPPED_LABELS":
                raise MedUSISError(
                    ErrorCode.UNKNOWN_LABELS,
                    f"a label map of the dataset ({file.id}): {what}",
                    "give it a mapping, or set use to false",
                    path,
                )


def _check_content(dataset: Dataset, file: FileEntry) -> None:
    volume = read_item(item_of(dataset, file))
    if voxel_fingerprints(volume.array_kji)[0] != file.content:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            f"a file of the dataset has other voxels than when it was scanned ({file.role}, {file.id})",
            "scan again",
            dataset.path_of(file),
        )


def _roles_of(case: CaseEntry) -> Iterable[tuple[str, str]]:
    return ((role, file) for role, file in (("ct", case.ct), ("mr", case.mr), ("labels", case.labels)) if file)


def _remarks(dataset: Dataset) -> Iterable[str]:
    splits = {split: sum(1 for _ in dataset.used_cases(split)) for split in ("train", "validation")}
    if not splits["validation"]:
        yield "nobody is in validation: nothing will tell whether training helps"
    errors = {p.file for p in dataset.problems if p.severity == "error" and p.file}
    used = {file for case in dataset.used_cases() for file in case.files()}
    if errors & used:
        yield f"{len(errors & used)} files are used although an error was found in them"
    used_as = [(role, file) for case in dataset.cases for role, file in _roles_of(case)]
    odd = sum(dataset.file(file).use and dataset.file(file).role != role for role, file in used_as)
    if odd:
        yield f"{odd} files are left out, because a case takes them for something else than their role says"
    if not any(case.mr for case in dataset.used_cases()):
        yield "there is no MR: a generator has nothing to learn from"
    if not any(case.labels or case.ct for case in dataset.used_cases()):
        yield "there are neither labels nor CTs"
