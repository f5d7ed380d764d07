"""What there is to do in a batch: the cases that were found, and everything that became none, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["table", "bids", "dicom", "files"]


@dataclass(frozen=True)
class BatchCase:
    """A CT that is to become a synthetic MR.

    Attributes
    ----------
    key : str
        Which case this is, the same in every search of the same data, so that a batch can go on: the CT's path below
        the input (a DICOM series has a short name after it), or the table's id. It may name a patient and stays here.
    ct : Path
        File, or folder of a DICOM series.
    segmentation : Path or None
        Label map, folder of masks, DICOM SEG or RTSTRUCT. None: nobody segmented this CT.
    labels : str or None
        Mapping of the label values where the table names one.
    ct_series : str or None
        SeriesInstanceUID, for a CT in DICOM.
    """

    key: str
    ct: Path
    segmentation: Path | None
    labels: str | None = None
    ct_series: str | None = None


@dataclass(frozen=True)
class CaseProblem:
    """Something in the input that became no case, or a case that should be looked at.

    Attributes
    ----------
    code : str
        See `problems.PROBLEMS`.
    where : str
        File or folder below the input, or "row 12" of a table. May name a patient: shown on this machine only.
    what, remedy : str
        Plain sentences without any name.
    """

    code: str
    where: str
    what: str
    remedy: str


@dataclass(frozen=True)
class FoundCases:
    """Everything below an input: ``cases`` by key, ``problems`` by place."""

    cases: tuple[BatchCase, ...]
    problems: tuple[CaseProblem, ...]
    kind: Kind

    @property
    def without_segmentation(self) -> int:
        """How many cases have nothing but a CT."""
        return sum(case.segmentation is None for case in self.cases)
