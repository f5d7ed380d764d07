"""Every CT with its segmentation below a folder, or in a table: nothing is lost without a word."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from MedUSISLib.batch.candidates import Ct, Segmentation
from MedUSISLib.batch.case import BatchCase, CaseProblem, FoundCases, Kind
from MedUSISLib.batch.copies import without_copies
from MedUSISLib.batch.dicom_headers import Header, counted, headers_of
from MedUSISLib.batch.dicom_tree import DicomTree
from MedUSISLib.batch.grids import Grids
from MedUSISLib.batch.matching import Matcher
from MedUSISLib.batch.nifti_tree import VolumeTree, volumes_of
from MedUSISLib.batch.problems import problem
from MedUSISLib.batch.table import is_table, read_case_table
from MedUSISLib.batch.tree import Folder, walk
from MedUSISLib.dataset.items import FOREIGN_FORMATS, may_be_dicom
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.progress import Progress

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".xz", ".bz2", ".zst")
_DIGITS = re.compile(r"(\d+)")


def find_cases(source: Path, progress: Progress | None = None) -> FoundCases:
    """Find what there is to synthesize.

    A tree is searched for files of volumes and for DICOM series, by any layout: names and folders bring a CT and its
    segmentation together (BIDS by its entities, nnU-Net by its numbers), DICOM objects by the series or the frame of
    reference that they refer to, and where names leave a choice the grids decide. What MedUSIS wrote itself is left
    out.

    Parameters
    ----------
    source : Path
        A folder, or a table (see `table.read_case_table`).
    progress : Progress, optional

    Returns
    -------
    FoundCases
        The same for the same data, whatever the file system. Empty when there is no CT: then the problems say what
        there is.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` when the source is not there; ``BAD_SETTING`` when it is neither a folder nor a table,
        or a table without usable headings; ``CANCELLED``.
    """
    progress = progress or Progress()
    source = Path(source).expanduser()
    if not source.exists():
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, "the input does not exist", "check the path", source)
    if source.is_dir():
        return _in_tree(source.resolve(), progress)
    if is_table(source):
        return read_case_table(source)
    raise MedUSISError(
        ErrorCode.BAD_SETTING,
        "the input is neither a folder nor a table",
        "give a folder, or a .csv file with the columns ct and segmentation; for one CT: medusis synthesize",
        source,
    )


def _in_tree(root: Path, progress: Progress) -> FoundCases:
    problems: list[CaseProblem] = []
    volumes = VolumeTree(problems)
    headers: list[Header] = []
    for folder in walk(root, problems, progress):
        volumes.add(folder, volumes_of(folder))
        headers += headers_of(folder, [path for path in folder.files if _is_maybe_dicom(path)], problems, progress)
        _tell_foreign(folder, problems)
    volumes.settle(progress)
    dicom = DicomTree(headers, problems)
    progress.stage("matching segmentations")
    cts = sorted([*volumes.cts, *dicom.cts], key=lambda ct: _natural(ct.key))
    segmentations = sorted([*volumes.segmentations, *dicom.segmentations], key=lambda one: _natural(one.name))
    grids = Grids()
    matcher = Matcher(cts, segmentations, volumes.others, dicom.other_series, grids, problems)
    chosen = matcher.match(progress)
    named = [ct for ct in cts if ct.key in chosen and _is_text(ct, chosen[ct.key], problems)]
    kept = without_copies(named, chosen, grids, problems, progress)
    cases = tuple(
        BatchCase(ct.key, ct.path, one.path if (one := chosen[ct.key]) else None, ct_series=ct.series or None)
        for ct in kept
    )
    ordered = sorted(set(problems), key=lambda one: (_natural(one.where), one.code, one.what))
    return FoundCases(cases, tuple(ordered), _kind(root, kept))


def _is_text(ct: Ct, segmentation: Segmentation | None, problems: list[CaseProblem]) -> bool:
    """A manifest, a job and an event are text, and a case whose files cannot be named in it cannot be done."""
    for one in (ct, segmentation):
        try:
            if one is not None:
                str(one.path).encode("utf-8")
        except UnicodeEncodeError:
            problems.append(
                problem("NAME_IS_NO_TEXT", one.name if one else "", "its path holds bytes that are no text")
            )
            return False
    return True


def _is_maybe_dicom(path: Path) -> bool:
    return may_be_dicom(path) and path.suffix.lower() not in FOREIGN_FORMATS


def _tell_foreign(folder: Folder, problems: list[CaseProblem]) -> None:
    names = [path.name.lower() for path in folder.files]
    suffixes = (*FOREIGN_FORMATS, *_ARCHIVES)
    found = Counter(
        next(suffix for suffix in suffixes if name.endswith(suffix))
        for name in names
        if name.endswith(suffixes) and not name.endswith((".nii.gz", ".csv.gz", ".json.gz", ".tsv.gz", ".txt.gz"))
    )
    for suffix, count in sorted(found.items()):
        problems.append(problem("FOREIGN_FORMAT", folder.name or ".", f"{counted(count, 'file')} in {suffix}"))


def _kind(root: Path, cts: list[Ct]) -> Kind:
    if (root / "dataset_description.json").is_file() or any(ct.entities for ct in cts):
        return "bids"
    return "dicom" if cts and all(ct.series for ct in cts) else "files"


def _natural(name: str) -> tuple[list[tuple[int, int | str]], str]:
    """Sorts case_2 before case_10; equal names of different bytes by these."""
    parts = [part for part in _DIGITS.split(name) if part]
    return [(0, int(part)) if part.isdigit() and part.isascii() else (1, part.casefold()) for part in parts], name
