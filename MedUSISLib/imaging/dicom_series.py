"""A folder of DICOM slices as a volume - or a named error, when its slices do not make one.

What scanners and exports really hand over: several series in one folder, localizers among the slices, slices missing
or taken twice, uneven distances, a tilted gantry. None of these may be read silently into a wrong geometry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.claims import require_plausible
from MedUSISLib.imaging.dicom_files import dicom_files, files_below, named_as_dicom_only, names
from MedUSISLib.imaging.dicom_slice import Slice
from MedUSISLib.imaging.dicom_values import values_taken_as_they_are
from MedUSISLib.imaging.frame_headers import frames_as_slices
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.slice_headers import DamagedSlice, is_enhanced, slice_header
from MedUSISLib.imaging.slice_pixels import voxels_of
from MedUSISLib.imaging.unchanged import stamp_of
from MedUSISLib.imaging.volume import Volume

# Positions are written with about this much rounding; more is a real unevenness.
_UNEVEN = 0.1
_TILT_PIXEL = 0.5
_SAME_SLICE = ("SOPInstanceUID", "InstanceNumber", "ImagePositionPatient")


@dataclass(frozen=True)
class SeriesInfo:
    """One series in a folder; nothing in it names the patient."""

    series_uid: str
    number: int | None
    modality: str
    slices: int


def list_series(folder: str | Path) -> list[SeriesInfo]:
    """The image series of a folder, largest first."""
    infos = [
        SeriesInfo(uid, _number(slices[0].header.get("SeriesNumber")), _modality(slices), _count(slices))
        for uid, slices in _series_in(Path(folder), None, []).items()
    ]
    return sorted(infos, key=lambda info: -info.slices)


def read_dicom_folder(folder: Path, role: str = "the CT", series_uid: str | None = None) -> Volume:
    """Read the one series of a folder with what lies of it below; of one without DICOM, the one series below it.

    A file of many frames is read when it is of an enhanced class and its frames are one stack. Localizers are left
    out. Of several series the only one of the role's modality (CT for "the CT") is taken.

    Parameters
    ----------
    folder : Path
        A folder of DICOM files.
    role : str
        How messages call this input.
    series_uid : str, optional
        Which series, when there are several.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``: no DICOM, several series, colour, frames that are no stack, pixels that cannot be
        decoded or unpack to more than they should.
        ``GEOMETRY_MISMATCH``: slices missing, uneven, doubled, of different size or direction, or a tilted gantry.
    """
    return _read_series(_chosen_series(folder, role, series_uid), role, folder)


def _chosen_series(folder: Path, role: str, series_uid: str | None) -> list[Slice]:
    damaged = named_as_dicom_only(folder) if series_uid is None else []
    series = _series_in(folder, series_uid, damaged)
    if series_uid is not None:
        series = {uid: slices for uid, slices in series.items() if uid == series_uid}
        damaged = [path for path in damaged if names(path, series_uid)]
    _require_sound(damaged, role, folder)
    if not series:
        raise _unreadable(role, "is a folder without DICOM images", "give a file, or the folder of one series", folder)
    if len(series) > 1 and ("CT" in role or "MR" in role):
        wanted = "CT" if "CT" in role else "MR"
        series = {u: s for u, s in series.items() if _modality(s) == wanted} or series
    if len(series) > 1:
        listed = ", ".join(
            f"series {_number(s[0].header.get('SeriesNumber'))} ({_modality(s)}, {_count(s)} slices)"
            for s in sorted(series.values(), key=_count, reverse=True)
        )
        hint = "give a file of the one that you mean instead of the folder, or its SeriesInstanceUID (--ct-series)"
        raise _unreadable(role, f"is a folder of {len(series)} series: {listed}", hint, folder)
    return next(iter(series.values()))


def sorted_series(folder: Path, role: str = "the CT", series_uid: str | None = None) -> tuple[list[Path], Volume]:
    """The series of a folder as ``read_dicom_folder``, with the file of each slice: file k holds slice k.

    Raises
    ------
    MedUSISError
        As ``read_dicom_folder``; ``INPUT_NOT_READABLE`` for a multi-frame file.
    """
    slices = _chosen_series(folder, role, series_uid)
    volume = _read_series(slices, role, folder)
    if any(is_enhanced(one.header) for one in slices):
        raise _unreadable(
            role, "is one file of many frames: its slices are no files", "export it as one file per slice", folder
        )
    return [one.path for one in _sorted_with_geometry(slices, role, folder)[0]], volume


def read_dicom_series_of(path: Path, role: str = "the CT") -> Volume:
    """Read the series that a single DICOM file belongs to, from the file's folder."""
    try:
        with values_taken_as_they_are():
            header = slice_header(path)
    except DamagedSlice:
        raise _damaged(1, role, path) from None
    if header is None:
        raise _unreadable(role, "is a DICOM file, but no slice of an image", "give one of the CT series", path)
    return read_dicom_folder(path.parent, role, series_uid=str(header.get("SeriesInstanceUID", "")))


def read_dicom_files(files: Iterable[Path], role: str = "the CT") -> Volume:
    """Read the one series that these files hold; errors as of ``read_dicom_folder``."""
    listed = list(files)
    return _read_series(_only_series(listed, role), role, listed[0].parent)


def _only_series(files: list[Path], role: str) -> list[Slice]:
    damaged: list[Path] = []
    series = _series_of(files, damaged)
    folder = files[0].parent if files else Path()
    _require_sound(damaged, role, folder)
    if len(series) != 1:
        raise _unreadable(role, f"is {len(series)} DICOM series of images", "give the files of one series", folder)
    return next(iter(series.values()))


def series_geometry(files: Iterable[Path], role: str = "the CT") -> Geometry:
    """The grid of the one series that these files hold, from their headers; errors as of ``read_dicom_folder``."""
    listed = list(files)
    folder = listed[0].parent
    return _sorted_with_geometry(frames_as_slices(_only_series(listed, role), role, folder), role, folder)[1]


def series_files(folder: Path, series_uid: str = "") -> list[Path]:
    """Files of the image series of a folder, or of one of them."""
    series = _series_in(folder, series_uid or None, [])
    return [one.path for uid, slices in series.items() if series_uid in ("", uid) for one in slices]


def _unreadable(role: str, what: str, hint: str, path: Path) -> MedUSISError:
    return MedUSISError(ErrorCode.INPUT_NOT_READABLE, f"{role} {what}", hint, path)


def _number(value: Any) -> int | None:
    return int(value) if value not in (None, "") else None


def _modality(slices: list[Slice]) -> str:
    return str(slices[0].header.get("Modality", ""))


def _count(slices: list[Slice]) -> int:
    return sum(int(one.header.get("NumberOfFrames") or 1) for one in slices)


def _series_in(folder: Path, series_uid: str | None, damaged: list[Path]) -> dict[str, list[Slice]]:
    """Image slices by series as of `_series_of`, of a folder and, of the same series or the wanted one, from below it.

    A slice that is there a second time below (the same SOPInstanceUID, number and place) is a copy and left out.
    """
    files = dicom_files(folder)
    series = _series_of(files, damaged)
    if files and files[0].parent == folder:
        wanted = [series_uid] if series_uid else list(series)
        for uid, slices in _series_of(files_below(folder, wanted), damaged).items():
            if uid in wanted:
                known = {_instance(one) for one in series.get(uid, [])}
                series[uid] = series.get(uid, []) + [one for one in slices if _instance(one) not in known]
    return series


def _instance(one: Slice) -> str:
    """Anonymisers give all slices one SOPInstanceUID now and then, so that alone tells nothing."""
    uid = one.header.get("SOPInstanceUID", "")
    return " ".join(str(one.header.get(tag, "")) for tag in _SAME_SLICE) if uid else str(one.path)


def _series_of(files: Iterable[Path], damaged: list[Path]) -> dict[str, list[Slice]]:
    """Image slices by series; localizers, reports, segmentations and the DICOMDIR are left out.

    Files whose header is damaged are added to ``damaged``: a stack without them may be a part of the patient only.
    """
    series: dict[str, list[Slice]] = defaultdict(list)
    with values_taken_as_they_are():
        for path in files:
            try:
                stamp = stamp_of(path)
                header = slice_header(path)
            except (DamagedSlice, OSError):
                damaged.append(path)
                continue
            if header is not None:
                series[str(header.get("SeriesInstanceUID", ""))].append(Slice(path, header, stamp))
    return dict(series)


def _require_sound(damaged: list[Path], role: str, folder: Path) -> None:
    if damaged:
        raise _damaged(len(damaged), role, folder)


def _damaged(count: int, role: str, path: Path) -> MedUSISError:
    return _unreadable(
        role,
        f"has {count} DICOM file{'s' * (count > 1)} whose header is damaged or incomplete",
        "copy or export the series again; take files away that do not belong to it",
        path,
    )


def _read_series(slices: list[Slice], role: str, folder: Path) -> Volume:
    first = slices[0].header
    if int(first.get("SamplesPerPixel") or 1) != 1:
        raise _unreadable(role, "is a colour series", "give the original grey-value series", folder)
    slices, geometry = _sorted_with_geometry(frames_as_slices(slices, role, folder), role, folder)
    meta = {
        "format": "dicom",
        "modality": _modality(slices),
        "series_uid": str(first.get("SeriesInstanceUID", "")),
        "study_uid": str(first.get("StudyInstanceUID", "")),
        "frame_of_reference_uid": str(first.get("FrameOfReferenceUID", "")),
    }
    return Volume(voxels_of(slices, *geometry.shape_kji[1:], role), geometry, meta)


def _sorted_with_geometry(slices: list[Slice], role: str, folder: Path) -> tuple[list[Slice], Geometry]:
    def mismatch(what: str, hint: str) -> MedUSISError:
        return MedUSISError(ErrorCode.GEOMETRY_MISMATCH, f"{role} {what}", hint, folder)

    needed = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    if any(not s.header.get(tag) for s in slices for tag in needed):
        raise mismatch("has slices without position, orientation or pixel spacing", "export the original series")
    first = slices[0].header
    for s in slices:
        same = (s.header.Rows, s.header.Columns) == (first.Rows, first.Columns)
        same &= bool(np.allclose(s.header.PixelSpacing, first.PixelSpacing, rtol=1e-4))
        same &= bool(np.allclose(s.header.ImageOrientationPatient, first.ImageOrientationPatient, atol=1e-3))
        if not same:
            raise mismatch("has slices of different size, pixel spacing or direction", "give one series only")
    cosines = np.asarray(first.ImageOrientationPatient, dtype=float)
    if np.abs(np.linalg.norm(cosines.reshape(2, 3), axis=1) - 1).max() > 0.01:
        raise mismatch("has a direction of rows or columns that is none", "export the original series")
    row, column = cosines[:3] / np.linalg.norm(cosines[:3]), cosines[3:]
    if abs(row @ column) > 1e-3:
        raise mismatch("has rows and columns that are not perpendicular", "export the original series")
    column = column - (row @ column) * row
    column /= np.linalg.norm(column)
    normal = np.cross(row, column)

    slices = sorted(slices, key=lambda s: float(normal @ s.position))
    positions = np.stack([s.position for s in slices])
    spacing = _slice_spacing(positions, normal, float(min(first.PixelSpacing)), first, mismatch)
    geometry = Geometry(
        (int(first.Columns), int(first.Rows), len(slices)),
        (float(first.PixelSpacing[1]), float(first.PixelSpacing[0]), spacing),
        (float(positions[0][0]), float(positions[0][1]), float(positions[0][2])),
        tuple(np.stack([row, column, normal], axis=1).ravel()),
    )
    require_plausible(geometry, role, folder)
    return slices, geometry


def _slice_spacing(positions: np.ndarray, normal: np.ndarray, pixel_mm: float, header: Any, mismatch: Any) -> float:
    """Distance of the slices; refuses every way in which they are not a regular stack."""
    if len(positions) == 1:
        thickness = header.get("SpacingBetweenSlices") or header.get("SliceThickness") or 1.0
        return abs(float(thickness)) or 1.0
    heights = positions @ normal
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    doubled = int(np.count_nonzero(gaps < 0.01 * max(usual, 0.1)))
    if doubled or usual <= 0:
        raise mismatch(
            f"has {doubled} slices at a place where there is one already (phases, or two reconstructions)",
            "give one phase or reconstruction only",
        )
    missing = gaps > 1.5 * usual
    if missing.any():
        count = int(np.rint(gaps[missing] / usual - 1).sum())
        raise mismatch(
            f"misses about {count} slices: the usual distance is {usual:.3g} mm, the largest {gaps.max():.3g} mm",
            "copy or export the series again",
        )
    spacing = float((heights[-1] - heights[0]) / (len(heights) - 1))
    off = np.abs(heights - heights[0] - spacing * np.arange(len(heights))).max()
    if off > _UNEVEN * spacing:
        raise mismatch(
            f"has uneven slice distances from {gaps.min():.3g} to {gaps.max():.3g} mm",
            "resample it to even slices first",
        )
    # Slices of a tilted gantry are shifted against each other within their plane.
    sideways = positions - positions[0] - np.outer(heights - heights[0], normal)
    shift = np.linalg.norm(sideways, axis=1)
    if shift.max() > _TILT_PIXEL * pixel_mm:
        angle = np.degrees(np.arctan2(shift[-1], heights[-1] - heights[0]))
        raise mismatch(
            f"was taken with a gantry tilted by {angle:.1f} degrees: its slices are sheared against each other",
            "correct the tilt first (3D Slicer: acquisition geometry regularization on loading; or dcm2niix)",
        )
    return spacing
