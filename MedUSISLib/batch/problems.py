"""Everything that finding cases may have to say: its code, what it is called, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from MedUSISLib.batch.case import CaseProblem


class ProblemKind(NamedTuple):
    """``note``: the cases are there, but look at it. Otherwise something became no case."""

    title: str
    remedy: str
    note: bool = False


TABLE_COMMAND = "(medusis batch --dry-run --write-table)"
"""How the command line writes a table of cases; a window has a button."""
_BY_TABLE = f"name the right ones in a table of cases {TABLE_COMMAND}"

PROBLEMS: dict[str, ProblemKind] = {
    "SEVERAL_SEGMENTATIONS": ProblemKind(
        "CTs with several segmentations that fit equally well", f"keep one, or {_BY_TABLE}"
    ),
    "ONE_OF_SEVERAL": ProblemKind("segmentations of such CTs, none of which was taken", f"keep one, or {_BY_TABLE}"),
    "SEVERAL_CTS": ProblemKind("segmentations that fit several CTs equally well", _BY_TABLE),
    "NAME_AGAINST_VOXELS": ProblemKind(
        "segmentations that are called after one CT and lie on the voxels of another",
        f"see whether names were mixed up and correct them, or {_BY_TABLE}",
    ),
    "NO_CT": ProblemKind("segmentations without a CT", f"give both the same name or folder, or {_BY_TABLE}"),
    "OTHER_IMAGE": ProblemKind(
        "segmentations of another image", "give the segmentation of the CT, or export the CT series as well"
    ),
    "TABLE_ROW": ProblemKind("rows of the table that are wrong", "correct the row"),
    "ROW_AGAINST_VOXELS": ProblemKind(
        "rows of the table whose segmentation lies on the voxels of another row's CT",
        "look whether a column was sorted without the others; if it is meant, leave the other CT out of this table",
    ),
    "MISSING_FILE": ProblemKind(
        "rows of the table whose files are not there", "check the path; it starts from the table's folder"
    ),
    "DUPLICATE_ID": ProblemKind("rows of the table with an id that was there before", "give every row its own id"),
    "NOT_READABLE": ProblemKind("files and folders that cannot be read", "check the permissions, or copy them again"),
    "NAME_IS_NO_TEXT": ProblemKind("files and folders whose names are no text in UTF-8", "rename them"),
    "UNKNOWN_IMAGE": ProblemKind("volumes that are neither a CT in HU nor labels", f"leave them out, or {_BY_TABLE}"),
    "FOREIGN_FORMAT": ProblemKind(
        "files that may hold volumes, in formats that MedUSIS does not read", "unpack or convert them to NIfTI or NRRD"
    ),
    "NOT_DICOM": ProblemKind(
        "files with a DICOM name that are no DICOM file", "export them again as DICOM files (part 10, with preamble)"
    ),
    "MULTI_FRAME": ProblemKind("multi-frame CT series", "convert them to NIfTI, or export them as one file per slice"),
    "SCATTERED_SERIES": ProblemKind("series spread over folders and links", "put the series into one folder"),
    "FEW_SLICES": ProblemKind("CT series of a few slices", f"nothing, if these are scouts; else {_BY_TABLE}"),
    "LOCALIZER": ProblemKind("localizers", "nothing"),
    "NOT_GREY": ProblemKind("pictures of reports and of screens", "nothing"),
    "DUPLICATE": ProblemKind("copies of what is there already", "nothing, if the copy is not needed"),
    "NOT_A_CT": ProblemKind("images that are no CT", "nothing"),
    "OTHER_OBJECT": ProblemKind("DICOM objects that are neither images nor segmentations", "nothing"),
    "SYNTHETIC": ProblemKind("results of MedUSIS", "nothing: they are not taken as input"),
    "FURTHER_SEGMENTATION": ProblemKind(
        "segmentations of CTs that have a better one", f"nothing, if the right one was taken; else {_BY_TABLE}", True
    ),
    "SHARED_SEGMENTATION": ProblemKind(
        "segmentations that several CTs of the same voxels share", "look whether they fit", True
    ),
    "PAIRED_BY_GRID": ProblemKind("segmentations given to a CT by their grid alone", "look whether they fit", True),
    "PAIRED_BY_FRAME": ProblemKind(
        "DICOM segmentations given to a CT by their frame of reference alone", "look whether they fit", True
    ),
    "UNKNOWN_COLUMN": ProblemKind("columns of the table that nobody knows", "see whether a heading is misspelt", True),
}
"""By code, in the order in which they are listed: what hides cases first, what is good to know last."""


def problem(code: str, where: str, what: str) -> CaseProblem:
    """A problem with the remedy of its kind; ``what`` is a sentence without names."""
    return CaseProblem(code, where, what, PROBLEMS[code].remedy)
