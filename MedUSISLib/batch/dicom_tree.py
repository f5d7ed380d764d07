"""DICOM trees (exports of a PACS): which series are CTs to be synthesized, which objects are segmentations."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

from MedUSISLib.batch.candidates import Ct, Segmentation
from MedUSISLib.batch.case import CaseProblem
from MedUSISLib.batch.dicom_headers import Header, Series, by_series, counted
from MedUSISLib.batch.name_words import own_words
from MedUSISLib.batch.problems import problem
from MedUSISLib.imaging.dicom_files import files_below

#: Scouts, bolus tracking and dose pages have fewer slices than this; nobody segments them.
_FEWEST_SLICES = 5
_SEGMENTATIONS = ("SEG", "RTSTRUCT")


class DicomTree:
    """What the DICOM files of a tree are.

    Attributes
    ----------
    cts : list of Ct
    segmentations : list of Segmentation
    other_series : set of str
        UIDs of image series that are there and are no CT of `cts`.
    """

    def __init__(self, headers: Sequence[Header], problems: list[CaseProblem]) -> None:
        self.cts: list[Ct] = []
        self.segmentations: list[Segmentation] = []
        self.other_series: set[str] = set()
        self._problems = problems
        self._with_dicom = {header.folder.name for header in headers}
        referred = {uid for header in headers if header.modality in _SEGMENTATIONS for uid in header.refers_to}
        for series in by_series(headers).values():
            self._tell_copies(series)
            self._sort(series, referred)

    def _sort(self, series: Series, referred: set[str]) -> None:
        modality = series.first.modality
        if any(header.synthetic for header in series.headers):
            self._leave_out("SYNTHETIC", series, f"a {modality or 'DICOM'} series that says it is synthetic")
        elif modality in _SEGMENTATIONS:
            self.segmentations += [_segmentation(header) for header in series.headers]
        elif not any(header.rows for header in series.headers):
            self._leave_out(
                "OTHER_OBJECT", series, f"{counted(len(series.headers), 'object')} of modality {modality or '?'}"
            )
        elif modality != "CT":
            images = counted(len(series.headers), "image")
            self._leave_out("NOT_A_CT", series, f"a series of modality {modality or '?'}, {images}")
        else:
            self._sort_ct(series, series.uid in referred)

    def _sort_ct(self, series: Series, is_referred: bool) -> None:
        slices = series.slices
        if not slices:
            self._leave_out("LOCALIZER", series, counted(len(series.headers), "image"))
        elif all(header.capture or header.samples != 1 for header in slices):
            self._leave_out("NOT_GREY", series, f"a CT series of {counted(len(slices), 'picture')}")
        elif any(header.frames > 1 for header in slices) and not (len(slices) == 1 and slices[0].enhanced):
            self._leave_out("MULTI_FRAME", series, f"a CT of many frames in {counted(len(slices), 'file')}")
        elif (count := sum(header.frames for header in slices)) < _FEWEST_SLICES and not is_referred:
            self._leave_out("FEW_SLICES", series, f"a CT series of {counted(count, 'slice')}")
        else:
            self._add_ct(series, slices)

    def _add_ct(self, series: Series, slices: Sequence[Header]) -> None:
        folders = list({header.folder.name: header.folder for header in slices}.values())
        name, path = folders[0].name, folders[0].path
        if len(folders) > 1:
            name = _common(folder.name for folder in folders)
            path = Path(os.path.commonpath([folder.path for folder in folders]))
            if name in self._with_dicom and not _is_found_from(path, slices):
                self._leave_out("SCATTERED_SERIES", series, f"a CT series in {len(folders)} folders")
                return
        first = series.first
        short = blake2b(first.series.encode(), digest_size=4).hexdigest()
        self.cts.append(
            Ct(
                key=f"{name or '.'}#{short}",
                name=name or ".",
                path=path,
                words=own_words(name, folder_only=True),
                files=tuple(header.path for header in slices),
                series=first.series,
                study=first.study,
                frame=first.frame,
            )
        )

    def _leave_out(self, code: str, series: Series, what: str) -> None:
        self._problems.append(problem(code, _common(f.name for f in series.folders) or ".", what))
        if any(header.rows for header in series.headers):
            self.other_series.add(series.uid)

    def _tell_copies(self, series: Series) -> None:
        for folder, count in sorted(series.copies.items()):
            what = f"{counted(count, 'file')} of a {series.first.modality or 'DICOM'} series that are there already"
            self._problems.append(problem("DUPLICATE", folder or ".", what))


def _is_found_from(folder: Path, slices: Sequence[Header]) -> bool:
    """Whether the reader finds all slices from a folder with DICOM of its own: not through links or in huge trees."""
    wanted = {header.path for header in slices if header.path.parent != folder}
    return wanted <= set(files_below(folder, (slices[0].series,)))


def _segmentation(header: Header) -> Segmentation:
    return Segmentation(
        name=header.folder.name_of(header.path),
        path=header.path,
        words=own_words(header.folder.name, folder_only=True),
        is_object=True,
        approved=header.approved,
        study=header.study,
        refers_to=header.refers_to,
        frames=header.frames_referred,
    )


def _common(names: Iterable[str]) -> str:
    """The folder that holds all of these, below the root."""
    listed = [name.split("/") if name else [] for name in names]
    shared = os.path.commonprefix(listed)
    return "/".join(shared)
