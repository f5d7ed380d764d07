"""DICOM files of a tree by series, wherever they lie: what their headers say, and nothing of a person."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from MedUSISLib.batch.case import CaseProblem
from MedUSISLib.batch.problems import problem
from MedUSISLib.batch.tree import Folder
from MedUSISLib.imaging.dicom_values import values_taken_as_they_are
from MedUSISLib.imaging.packed_pixels import LONGEST_META
from MedUSISLib.imaging.slice_headers import is_deflated, is_enhanced
from MedUSISLib.progress import Progress

_NAMED_DICOM = {".dcm", ".dicom", ".ima"}
_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_SYNTHETIC_DATA = 0x0008001C
_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "Modality",
    "ImageType", "Rows", "SamplesPerPixel", "NumberOfFrames", "SeriesDescription", "ImageComments", _SYNTHETIC_DATA,
    "ReferencedSeriesSequence", "ReferencedFrameOfReferenceSequence", "ApprovalStatus", "InstanceNumber",
    "ImagePositionPatient",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Header:
    """What is kept of the header of one file.

    Attributes
    ----------
    folder : Folder
    path : Path
    instance, series, study, frame : str
        UIDs; "" where there is none.
    place : str
        Number and position of a slice: an anonymiser may have given all of them one UID.
    modality : str
    rows, samples, frames : int
    enhanced, localizer, capture, synthetic, approved : bool
        What the SOP class, ImageType, the notice of synthetic images and ApprovalStatus say.
    refers_to : frozenset of str
        Series that an object was made for.
    frames_referred : frozenset of str
        Frames of reference that it lies in.
    """

    folder: Folder
    path: Path
    instance: str
    series: str
    study: str
    frame: str
    place: str
    modality: str
    rows: int
    samples: int
    frames: int
    enhanced: bool
    localizer: bool
    capture: bool
    synthetic: bool
    approved: bool
    refers_to: frozenset[str] = frozenset()
    frames_referred: frozenset[str] = frozenset()

    @property
    def is_slice(self) -> bool:
        """An image, and no localizer: what the reader takes of a series."""
        return self.rows > 0 and not self.localizer


@dataclass
class Series:
    """The files of one series, in the order of the tree; one that is there twice (SOPInstanceUID, place) counts once.

    ``copies`` holds, by folder, how many files of it are such a second copy.
    """

    uid: str
    headers: list[Header] = field(default_factory=list)
    copies: Counter[str] = field(default_factory=Counter)

    @property
    def first(self) -> Header:
        """One header for what is the same in all."""
        return self.headers[0]

    @property
    def slices(self) -> list[Header]:
        """The images that are no localizers."""
        return [header for header in self.headers if header.is_slice]

    @property
    def folders(self) -> list[Folder]:
        """Where its files lie."""
        return list({header.folder.name: header.folder for header in self.headers}.values())


def headers_of(
    folder: Folder, files: Iterable[Path], problems: list[CaseProblem], progress: Progress
) -> Iterator[Header]:
    """Headers of the DICOM files among these; what has a DICOM name and is none becomes a problem."""
    damaged = 0
    for path in files:
        progress.checkpoint()
        try:
            with path.open("rb") as stream:
                beginning = stream.read(LONGEST_META)
        except OSError:
            problems.append(problem("NOT_READABLE", folder.name_of(path), "a file that cannot be opened"))
            continue
        is_dicom = beginning[128:132] == b"DICM"
        header = _read(folder, path) if is_dicom and not is_deflated(beginning) else None
        if header is not None:
            if header.modality or header.rows or not _is_directory(path):
                yield header
        elif is_dicom or path.suffix.lower() in _NAMED_DICOM:
            damaged += 1
    if damaged:
        problems.append(problem("NOT_DICOM", folder.name or ".", f"{counted(damaged, 'file')} in this folder"))


def by_series(headers: Iterable[Header]) -> dict[str, Series]:
    """Series by UID, in the order in which they are met."""
    found: dict[str, Series] = {}
    instances: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for header in headers:
        # Files without a UID of their series are together what lies together.
        key = header.series or f"files of {header.folder.name}"
        series = found.setdefault(key, Series(header.series))
        instance = (header.instance, header.place)
        if header.instance and instance in instances[key]:
            series.copies[header.folder.name] += 1
            continue
        instances[key].add(instance)
        series.headers.append(header)
    return found


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    Examples
    --------
    >>> counted(1, "file"), counted(3, "slice")
    ('1 file', '3 slices')
    """
    return f"{number} {noun}{'s' * (number != 1)}"


def _is_directory(path: Path) -> bool:
    return path.name.upper() == "DICOMDIR"


def _read(folder: Folder, path: Path) -> Header | None:
    import pydicom

    try:
        with values_taken_as_they_are():
            ds: Any = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)  # type: ignore[arg-type]
            return _header(folder, path, ds)
    except Exception:  # of a damaged header pydicom complains in every way there is
        return None


def _header(folder: Folder, path: Path, ds: Any) -> Header:
    text = " ".join(str(ds.get(name, "") or "") for name in ("SeriesDescription", "ImageComments")).lower()
    flag = ds.get(_SYNTHETIC_DATA)
    kinds = [str(part).upper() for part in _listed(ds.get("ImageType"))]
    return Header(
        folder=folder,
        path=path,
        instance=_text(ds, "SOPInstanceUID"),
        # The same in hundreds of thousands of headers, and kept once.
        series=sys.intern(_text(ds, "SeriesInstanceUID")),
        study=sys.intern(_text(ds, "StudyInstanceUID")),
        frame=sys.intern(_text(ds, "FrameOfReferenceUID")),
        place=_place(ds),
        modality=sys.intern(_text(ds, "Modality").upper()),
        rows=int(ds.get("Rows") or 0),
        samples=int(ds.get("SamplesPerPixel") or 1),
        frames=int(ds.get("NumberOfFrames") or 1),
        enhanced=is_enhanced(ds),
        localizer="LOCALIZER" in kinds,
        capture=_text(ds, "SOPClassUID").startswith(_CAPTURE),
        synthetic=text.startswith("synthetic")
        or "not for diagnosis" in text
        or (flag is not None and flag.value == "YES"),
        approved=_text(ds, "ApprovalStatus").upper() == "APPROVED",
        refers_to=frozenset(_series_referred(ds)),
        frames_referred=frozenset(_frames_referred(ds)),
    )


def _place(ds: Any) -> str:
    try:
        return f"{ds.get('InstanceNumber', '')} {ds.get('ImagePositionPatient', '')}"
    except Exception:  # a damaged number; whoever reads the series names it
        return ""


def _series_referred(ds: Any) -> Iterator[str]:
    """Of a SEG directly, of an RTSTRUCT through its frames and studies."""
    for series in ds.get("ReferencedSeriesSequence") or []:
        yield _text(series, "SeriesInstanceUID")
    for frame in ds.get("ReferencedFrameOfReferenceSequence") or []:
        for study in frame.get("RTReferencedStudySequence") or []:
            for series in study.get("RTReferencedSeriesSequence") or []:
                yield _text(series, "SeriesInstanceUID")


def _frames_referred(ds: Any) -> Iterator[str]:
    for frame in ds.get("ReferencedFrameOfReferenceSequence") or []:
        yield _text(frame, "FrameOfReferenceUID")
    if own := _text(ds, "FrameOfReferenceUID"):
        yield own


def _text(ds: Any, name: str) -> str:
    return str(ds.get(name, "") or "").strip()


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
