"""``dataset.json``: what a scan found and what a person decided about it, and how to read it back."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from MedUSISLib.dataset.problems import Severity
from MedUSISLib.dataset.request import SplitShares
from MedUSISLib.dataset.split import Split
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.plain_reasons import plain_reasons
from MedUSISLib.small_files import read_small_file
from MedUSISLib.strict_json import parse_json

FILE_NAME = "dataset.json"
PAGE_NAME = "dataset.html"
PREVIOUS_NAME = "dataset.previous.json"
PICTURES_NAME = "pictures"
VERSION = 1
_LARGEST_BYTES = 1024**3
NOTICE = "Holds names of files and folders of patients. It must not leave the hospital."

Role = Literal["ct", "mr", "labels", "ignore"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class FoundInFile(_Part):
    """What the scan decided about a file; where the field beside it differs, a person did."""

    role: Role
    person: str
    mapping: str | None = None
    sequence: str = ""
    use: bool = True


class FileEntry(_Part):
    """A volume. Edit ``role``, ``person``, ``mapping``, ``sequence`` and ``use``; the rest is measured.

    Attributes
    ----------
    path : str
        From the folder of dataset.json, forward slashes; absolute where there is no relative one (another drive).
    series_uid : str
        Which series, when ``path`` is a folder of DICOM files.
    content, content_any_order : str
        Fingerprints of the voxels.
    labels : dict, optional
        Voxels of each label value other than 0.
    """

    id: str
    path: str
    role: Role
    person: str
    use: bool = True
    mapping: str | None = None
    sequence: str = ""
    session: str = ""
    format: str = ""
    series_uid: str = ""
    size_ijk: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    recognised_by: str = ""
    labels: dict[int, int] | None = None
    content: str = ""
    content_any_order: str = ""
    found: FoundInFile | None = None


class FoundInCase(_Part):
    """Files and use of a case as the scan put them together."""

    ct: str | None = None
    mr: str | None = None
    labels: str | None = None
    use: bool = True


class CaseEntry(_Part):
    """Images and labels that show the same body in the same place; ids of files. Edit anything but the id.

    ``ct`` and ``mr`` together: a registered pair. ``labels`` alone: a label map without an image.
    """

    id: str
    person: str
    ct: str | None = None
    mr: str | None = None
    labels: str | None = None
    use: bool = True
    coverage: float | None = Field(default=None, description="labelled part of the body in the CT, 0 to 1")
    found: FoundInCase | None = None

    def files(self) -> list[str]:
        """Ids of its files."""
        return [file for file in (self.ct, self.mr, self.labels) if file is not None]


class PersonEntry(_Part):
    """A pseudonym and its side of the split; edit ``split``."""

    id: str
    split: Split
    found_split: Split | None = None


class Problem(_Part):
    """Something found wrong: what it is, and what to do."""

    code: str
    severity: Severity
    what: str
    advice: str
    file: str | None = None
    case: str | None = None


class Dataset(_Part):
    """All of ``dataset.json``."""

    format: Literal["medusis-dataset"] = "medusis-dataset"
    version: Literal[1] = 1
    notice: str = NOTICE
    software: str = ""
    label_schema: str = "head"
    labels: str | None = Field(default=None, description="mapping of all label maps that have none of their own")
    seed: int = 0
    shares: SplitShares = SplitShares()
    roots: tuple[str, ...] = ()
    people: list[PersonEntry] = []
    cases: list[CaseEntry] = []
    files: list[FileEntry] = []
    problems: list[Problem] = []
    left_out: dict[str, int] = {}
    changes: list[str] = []
    folder: Path = Field(default=Path(), exclude=True, description="where the file was read from")

    def file(self, file_id: str) -> FileEntry:
        """The file with this id; KeyError."""
        return self._by_id[file_id]

    @cached_property
    def _by_id(self) -> dict[str, FileEntry]:
        return {file.id: file for file in self.files}

    def path_of(self, file: FileEntry | str) -> Path:
        """Where a file (or a folder of DICOM) lies now."""
        entry = self.file(file) if isinstance(file, str) else file
        return self.folder / entry.path

    def mapping_of(self, file: FileEntry | str) -> str | None:
        """What the values of a label map mean: a name, or the path of a table; None when nobody said."""
        entry = self.file(file) if isinstance(file, str) else file
        return resolved_mapping(entry.mapping or self.labels, self.folder)

    def split_of(self, person: str) -> Split:
        """Side of a person; KeyError."""
        return {entry.id: entry.split for entry in self.people}[person]

    def used_cases(self, split: Split | None = None) -> Iterator[CaseEntry]:
        """Cases that are used, without those of their files that are not; of one side of the split if given.

        Labels that are not used leave their image behind; an image that is not used takes its labels with it, unless
        there is another one in the case.
        """
        files, splits = self._by_id, {entry.id: entry.split for entry in self.people}
        for case in self.cases:
            if not case.use or (split is not None and splits[case.person] != split):
                continue
            kept = {
                role: file_id if file_id is not None and files[file_id].use and files[file_id].role == role else None
                for role, file_id in (("ct", case.ct), ("mr", case.mr), ("labels", case.labels))
            }
            had_image = case.ct is not None or case.mr is not None
            if kept["ct"] or kept["mr"] or (kept["labels"] and not had_image):
                yield case.model_copy(update=kept)

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def load_dataset(path: str | Path, scanning: bool = False) -> Dataset:
    """Read ``dataset.json``, or the folder that holds it; paths are then meant from where it lies now.

    ``scanning`` is for the next scan, which puts people and cases in order again: a file that was given to another
    person by hand is no error then.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` when it cannot be read as JSON, ``BAD_SETTING`` naming the place when an edit broke it:
        a field that does not exist, a case or person that nobody defined, two entries of one id.

    Examples
    --------
    ::

        dataset = load_dataset("scan/dataset.json")
        for case in dataset.used_cases("train"):
            if case.mr is not None:
                volume = read_volume(dataset.path_of(case.mr), "a training MR")
    """
    path = Path(path)
    path = path / FILE_NAME if path.is_dir() else path
    if not path.exists():
        hint = "give the folder that `medusis dataset scan` wrote, or its dataset.json"
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, "there is no dataset", hint, path)
    try:
        content = parse_json(read_small_file(path, _LARGEST_BYTES))
    except (OSError, ValueError) as error:
        line = f": line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        line = line or (f": {error}" if isinstance(error, ValueError) else "")
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            f"the dataset cannot be read as JSON{line}",
            "correct the line, or take dataset.previous.json beside it",
            path,
        ) from None
    if not isinstance(content, dict) or "version" not in content:
        hint = "give the folder that `medusis dataset scan` wrote, or its dataset.json"
        raise MedUSISError(ErrorCode.BAD_SETTING, "the file is no dataset: it names no version", hint, path)
    if content["version"] != VERSION:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"the dataset was written by another version (format {str(content['version'])[:20]}, known: {VERSION})",
            "scan again with this version",
            path,
        )
    try:
        dataset = Dataset.model_validate(content)
    except ValidationError as error:
        reason = plain_reasons(error, Dataset)[0]
        raise MedUSISError(
            ErrorCode.BAD_SETTING, f"the dataset is not valid: {reason}", "correct it (entries count from 0)", path
        ) from None
    dataset.folder = path.absolute().parent
    if not scanning:
        _check_references(dataset, path)
    return dataset


def picture_name(case_id: str, role: str) -> str:
    """Where the picture of a case lies, from the folder of dataset.json: one for each image, else of the labels.

    Examples
    --------
    >>> picture_name("case-1", "ct")
    'pictures/case-1-ct.jpg'
    """
    return f"{PICTURES_NAME}/{re.sub(r'[^A-Za-z0-9-]', '_', case_id)}-{role}.jpg"


def resolved_mapping(mapping: str | None, folder: Path) -> str | None:
    """A table's path is meant from the folder of dataset.json; a name stays a name.

    Examples
    --------
    >>> resolved_mapping("synthseg", Path("/data")), Path(resolved_mapping("mine.csv", Path("/data"))).as_posix()
    ('synthseg', '/data/mine.csv')
    """
    if mapping is None or not (Path(mapping).suffix in (".csv", ".tsv", ".txt") or "/" in mapping or "\\" in mapping):
        return mapping
    return str(folder / mapping)


def relative_to(path: Path, folder: Path) -> str:
    """How dataset.json in ``folder`` writes ``path``."""
    try:
        return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
    except ValueError:  # another drive
        return path.absolute().as_posix()


_HINT = "correct it; after another person was given to a file, scan again"


def _check_references(dataset: Dataset, path: Path) -> None:
    def bad(what: str) -> MedUSISError:
        return MedUSISError(ErrorCode.BAD_SETTING, f"the dataset is not valid: {what}", _HINT, path)

    for kind, entries in (("files", dataset.files), ("cases", dataset.cases), ("people", dataset.people)):
        ids = [entry.id for entry in entries]
        if len(set(ids)) != len(ids):
            number = next(n for n, i in enumerate(ids) if i in ids[:n])
            raise bad(f"{kind} > {number}: its id is there twice")
    people, files = {entry.id for entry in dataset.people}, {entry.id: entry for entry in dataset.files}
    for number, file in enumerate(dataset.files):
        if file.person not in people:
            raise bad(f"files > {number}: its person is not among the people")
    for number, case in enumerate(dataset.cases):
        if not case.files():
            raise bad(f"cases > {number}: it has no file")
        if case.person not in people:
            raise bad(f"cases > {number}: its person is not among the people")
        for file_id in case.files():
            if file_id not in files:
                raise bad(f"cases > {number}: its file '{file_id[:20]}' is not among the files")
            if files[file_id].person != case.person:
                raise bad(f"cases > {number}: one of its files belongs to another person")
