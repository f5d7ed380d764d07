"""The CT series that a result was made from: headers in the order of its slices, and whether they really belong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from MedUSISLib.dicom.attributes import COPIED, INSTANCE, PLACE, TYPE_2
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_series import sorted_series
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.voxel_match import carried_over
from MedUSISLib.synthesis.inputs import value_sha256, voxel_sha256

_ROLE = "the CT series"
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
_SHARED = ("StudyInstanceUID", "FrameOfReferenceUID")


@dataclass
class SourceSeries:
    """A CT series.

    Attributes
    ----------
    headers : list of pydicom Dataset
        Of slice k; nothing but ``attributes.COPIED``, in Unicode.
    ct : Volume
        HU.
    """

    headers: list[Any]
    ct: Volume

    @property
    def first(self) -> Any:
        """Header of slice 0, for what all slices share."""
        return self.headers[0]

    def references(self) -> list[Any]:
        """The headers without the person, for highdicom: it stops at what it holds for a wrong sex, name or time.

        What the CT says of the patient goes into a finished object as it is (``origin.mark``). Directions that differ
        in their last digits are one direction.
        """
        import pydicom

        plain = []
        for header in self.headers:
            reference = pydicom.Dataset()
            for keyword in ("StudyInstanceUID", *PLACE, *INSTANCE, "SpecificCharacterSet"):
                if keyword in header:
                    reference[keyword] = header[keyword]
            for keyword in TYPE_2:
                setattr(reference, keyword, "")
            reference.ImageOrientationPatient = self.first.ImageOrientationPatient
            plain.append(reference)
        return plain

    def forget_values(self) -> None:
        """Give the memory of the CT's values back; its grid stays."""
        self.ct = self.ct.with_array(np.broadcast_to(np.int16(0), self.ct.geometry.shape_kji))


def read_source(folder: Path, series_uid: str | None = None) -> SourceSeries:
    """Read a CT series for references and geometry.

    Raises
    ------
    MedUSISError
        As ``dicom_series.read_dicom_folder``; NOT_A_CT for another modality; INPUT_NOT_READABLE when identifiers that
        a derived object must refer to are missing.
    """
    if not folder.is_dir():
        raise _unreadable("is no folder", "give the folder of the series", folder)
    files, ct = sorted_series(folder, _ROLE, series_uid)
    if ct.meta["modality"] != "CT":
        raise MedUSISError(
            ErrorCode.NOT_A_CT,
            f"{_ROLE} has the modality {ct.meta['modality'] or '(none)'}",
            "give the series that the result was made from",
            folder,
        )
    thickness = f"{ct.geometry.spacing_mm[2]:.6g}"
    headers = [_header(path, thickness) for path in files]
    if any(len({str(header[keyword].value) for header in headers}) > 1 for keyword in _SHARED):
        raise _unreadable("has slices of several studies or frames of reference", "export the original series", folder)
    return SourceSeries(headers, ct)


def require_source(source: SourceSeries, map_grid: Volume, provenance: dict[str, Any]) -> None:
    """Refuse a result that was made from something else than this series.

    Parameters
    ----------
    source : SourceSeries
    map_grid : Volume
        A map of the result.
    provenance : dict
        Of the result.

    Raises
    ------
    MedUSISError
        GEOMETRY_MISMATCH when the voxels of the result are not those of the series; BAD_SETTING when they are, but
        the CT's values are others (another reconstruction of the same scan, another phase).
    """
    on_series(map_grid, source)
    # the CT as the result has it: the engine may have read it from another format, with turned axes
    turned = carried_over(source.ct, map_grid.geometry)
    assert turned is not None
    ct = Volume(turned, map_grid.geometry)
    expected = (provenance.get("inputs") or {}).get("ct") or {}
    if "values_sha256" in expected:
        same = value_sha256(ct) == expected["values_sha256"]
    else:  # results before this was recorded: with the grid's digits, as the series or as the result writes them
        same = expected.get("voxels_sha256") in (voxel_sha256(source.ct), voxel_sha256(ct))
    if not same:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "the result was not made from this CT series: it lies in the same place, but the CT's values are others",
            "give the series (reconstruction, phase) that was synthesized; a CT that was changed on the way "
            "(resampled, filtered, cropped) has no series to refer to",
        )


def on_series(volume: Volume, source: SourceSeries) -> np.ndarray:
    """A map of the result on the series' own voxels, ``[k, j, i]``; slice k belongs to ``headers[k]``.

    Raises
    ------
    MedUSISError
        GEOMETRY_MISMATCH.
    """
    grid = source.ct.geometry
    array = carried_over(volume, grid) if _same_box(volume.geometry, grid) else None
    if array is None:
        raise MedUSISError(
            ErrorCode.GEOMETRY_MISMATCH,
            f"the result has {volume.geometry.size_ijk} voxels of {_rounded(volume.geometry.spacing_mm)} mm, the CT "
            f"series {grid.size_ijk} of {_rounded(grid.spacing_mm)} mm: they are not the same ones in the same places",
            "give the series that the result was made from; a CT that was cropped, resampled or moved on the way has "
            "no series to refer to",
        )
    return array


def _same_box(one: Geometry, other: Geometry) -> bool:
    """Whether both grids reach from the same first to the same last voxel: coinciding ones may still be shifted."""
    ends_ijk = np.array([(0, 0, 0), np.asarray(one.size_ijk) - 1])
    places = other.lps_to_index(one.index_to_lps(ends_ijk))
    ends = np.stack([places.min(axis=0), places.max(axis=0) - (np.asarray(other.size_ijk) - 1)])
    return bool(np.abs(ends).max() < 0.5)


def _rounded(spacing_mm: tuple[float, float, float]) -> tuple[float, ...]:
    return tuple(round(value, 3) for value in spacing_mm)


def _header(path: Path, thickness: str) -> Any:
    """``COPIED`` of a slice; a slice that does not say how thick it is has the thickness of the stack's steps."""
    import pydicom

    try:
        whole = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*COPIED, "SpecificCharacterSet"])
        whole.decode()
        header = pydicom.Dataset()
        for keyword in COPIED:
            if keyword in whole:
                header[keyword] = whole[keyword]
    except Exception:  # values that cannot even be decoded, in every way there is
        raise _unreadable("has a slice whose header is damaged", "export the series again", path) from None
    missing = [keyword for keyword in _NEEDED if not header.get(keyword)]
    if missing:
        raise _unreadable(f"has slices without {', '.join(missing)}", "export the original series", path)
    for keyword in TYPE_2:
        if keyword not in header:
            setattr(header, keyword, "")
    if not header.get("SliceThickness"):
        header.SliceThickness = thickness
    if "SpacingBetweenSlices" in header and not _is_positive(header.SpacingBetweenSlices):
        header.SpacingBetweenSlices = thickness  # an MR has no negative one
    header.SpecificCharacterSet = "ISO_IR 192"
    return header


def _is_positive(value: Any) -> bool:
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False


def _unreadable(what: str, hint: str, path: Path) -> MedUSISError:
    return MedUSISError(ErrorCode.INPUT_NOT_READABLE, f"{_ROLE} {what}", hint, path)
