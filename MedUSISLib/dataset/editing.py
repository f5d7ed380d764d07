"""What a person decides about a dataset, written into ``dataset.json`` so that the next scan keeps it.

The functions change a `Dataset`; ``edited`` reads the file, lets one of them work, and writes it whole or not at all.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path

from MedUSISLib.dataset.model import FILE_NAME, Dataset, FileEntry, load_dataset
from MedUSISLib.dataset.split import Split
from MedUSISLib.errors import ErrorCode, MedUSISError

UNUSABLE = frozenset(
    {
        "DAMAGED", "BAD_HEADER", "TOO_LARGE", "SHEARED", "BAD_SLICES", "FOUR_D", "NOT_GREY", "SINGLE_SLICE", "CONSTANT",
        "EMPTY_LABELS", "WRONG_MODALITY", "DICOM_OBJECT", "UNMAPPED_LABELS",
    }
)  # fmt: skip
"""Problems that nobody can decide away: there is nothing to read, or nobody knows what it means."""


def edited(path: str | Path, change: Callable[[Dataset], object]) -> Dataset:
    """Read ``dataset.json``, change it and write it.

    Parameters
    ----------
    path : str or Path
        The file, or the folder that holds it.
    change : callable
        Is given the dataset. What it raises is passed on, and nothing is written.

    Returns
    -------
    Dataset
        As it stands in the file now.

    Raises
    ------
    MedUSISError
        Those of ``load_dataset``; ``DISK_FULL`` when the file cannot be written.
    """
    path = Path(path)
    path = path / FILE_NAME if path.is_dir() else path
    dataset = load_dataset(path)
    change(dataset)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        temporary.touch(mode=0o600)
        temporary.write_text(dataset.to_json(), encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    except OSError as error:
        raise MedUSISError(ErrorCode.DISK_FULL, "dataset.json cannot be written", "free some space", path) from error
    finally:
        temporary.unlink(missing_ok=True)
    return dataset


def use_case(dataset: Dataset, case_id: str, use: bool) -> None:
    """Take a case or leave it. Taking it takes its files, too, but for those that cannot be used.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` when there is no such case, or none of its files can be used.
    """
    case = next((case for case in dataset.cases if case.id == case_id), None)
    if case is None:
        raise MedUSISError(ErrorCode.BAD_SETTING, "the dataset has no such case", "scan again")
    case.use = use
    if not use:
        return
    hopeless = {problem.file for problem in dataset.problems if problem.code in UNUSABLE}
    for file_id in case.files():
        if file_id not in hopeless:
            dataset.file(file_id).use = True
    if not any(used.id == case_id for used in dataset.used_cases()):
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "this case cannot be used: none of its images can be read or understood",
            "look at its problems, correct the files and scan again",
        )


def set_split(dataset: Dataset, person: str, split: Split) -> None:
    """Put a person, with all that is theirs, on a side of the split; ``BAD_SETTING`` when nobody has this name."""
    for entry in dataset.people:
        if entry.id == person:
            entry.split = split
            return
    raise MedUSISError(ErrorCode.BAD_SETTING, "the dataset has no such person", "scan again")


def set_sequence(dataset: Dataset, file_id: str, sequence: str) -> None:
    """Say which sequence an MR is ("T1w"); ``BAD_SETTING`` when there is no such file."""
    _file(dataset, file_id).sequence = sequence.strip()


def set_mapping(dataset: Dataset, file_id: str, mapping: str | None) -> None:
    """Say what the values of a label map mean: a name, or the path of a table.

    Whether all values have a class then, and which problems are gone, the next scan finds out.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` when there is no such file or mapping; ``INPUT_NOT_READABLE`` or ``UNKNOWN_LABELS`` for a table
        that is not right.
    """
    from MedUSISLib.anatomy.mapping import load_mapping
    from MedUSISLib.anatomy.schema import load_schema
    from MedUSISLib.dataset.model import relative_to

    file = _file(dataset, file_id)
    if mapping is not None:
        load_mapping(mapping, load_schema(dataset.label_schema))
        if Path(mapping).is_file():
            mapping = relative_to(Path(mapping), dataset.folder)
    file.mapping = mapping


def _file(dataset: Dataset, file_id: str) -> FileEntry:
    try:
        return dataset.file(file_id)
    except KeyError:
        raise MedUSISError(ErrorCode.BAD_SETTING, "the dataset has no such file", "scan again") from None
