"""One file or series, read once: what it is, how it lies, which labels it has, and what is wrong with it."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from MedUSISLib.anatomy.lookup import as_integers, chunks
from MedUSISLib.dataset.fingerprint import voxel_fingerprints
from MedUSISLib.dataset.items import Item
from MedUSISLib.dataset.names import name_facts
from MedUSISLib.dataset.recognition import recognise
from MedUSISLib.dataset.synthetic import is_synthetic
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_series import read_dicom_files
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.itk_paths import itk_path
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.text_headers import check_text_header
from MedUSISLib.imaging.volume import Volume

ROLE = "this file"
_MOST_LABELS = 4000
# A head needs more than this to be drawn, and a slice more than this to be one.
_SMALL_IN_PLANE_MM = 100.0
_SMALL_STACK_MM = 30.0
_FEW_SLICES = 5
_THICK_MM = 6.0
# A prostate T2 of 0.5 x 0.5 x 3 mm is usual.
_ANISOTROPY = 8.0
# The readers' own words, nearest cause first.
_CAUSES = (
    ("time series", "FOUR_D"),
    ("colour", "NOT_GREY"),
    ("multi-frame", "NOT_GREY"),
    ("sheared", "SHEARED"),
    ("perpendicular", "SHEARED"),
    ("gantry", "SHEARED"),
    ("slices", "BAD_SLICES"),
    ("finite value", "CONSTANT"),
)


@dataclass(frozen=True)
class Measurement:
    """What one item holds. ``geometry`` is None when it could not be read; ``labels`` maps value to voxels."""

    kind: str
    reason: str
    problems: tuple[tuple[str, str], ...] = ()
    geometry: Geometry | None = None
    in_order: str = ""
    in_any_order: str = ""
    labels: dict[int, int] | None = None
    needs_bytes: int = 0


def measure(item: Item, role: str = "", limit_bytes: int | None = None) -> Measurement:
    """Read one item and say what it is; whatever is wrong with it becomes a problem, never an exception.

    Parameters
    ----------
    item : Item
    role : str
        What a person said that it is; label values are counted for "labels" whatever the voxels look like.
    limit_bytes : int, optional
        An item that needs more memory is not read: the result has kind "" and ``needs_bytes``.
    """
    if item.objection:
        what = f"it is a {item.objection} object"
        return Measurement("unknown", what, (("DICOM_OBJECT", what),))
    try:
        if limit_bytes is not None and (needs := bytes_to_read(item)) > limit_bytes:
            return Measurement("", "", needs_bytes=needs)
        volume = read_item(item)
    except MedUSISError as error:
        what = error.message.removeprefix(ROLE).strip()
        return Measurement("unknown", what, ((_cause(error), f"it {what}"),))
    return _measured(volume, item, role)


def read_item(item: Item) -> Volume:
    """The voxels of an item; foreign libraries are kept quiet, since what they print names files.

    Raises
    ------
    MedUSISError
        As ``imaging.reading.read_volume``.
    """
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read_dicom_files(item.files, ROLE) if item.files else read_volume(item.path, ROLE)
        except (MedUSISError, MemoryError):
            raise
        except Exception:  # a damaged file makes libraries fail in any way
            raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, f"{ROLE} cannot be read: it is damaged") from None


def bytes_to_read(item: Item) -> int:
    """Memory that reading takes at its peak, from the header alone: the voxels as stored and as int16 or float32."""
    if item.files:
        import pydicom

        header = pydicom.dcmread(item.files[0], stop_before_pixels=True, specific_tags=["Rows", "Columns"])
        return int(header.get("Rows", 0)) * int(header.get("Columns", 0)) * len(item.files) * 6
    if not item.path.is_file():  # a pipe would be waited for
        return 0
    try:
        if item.format == "nii":
            return _nifti_bytes(item)
        import SimpleITK as sitk

        check_text_header(item.path, "an image")
        reader = sitk.ImageFileReader()
        reader.SetFileName(itk_path(item.path, "an image"))
        reader.ReadImageInformation()
        return int(np.prod(reader.GetSize(), dtype=np.int64)) * 8
    except Exception:  # unreadable headers are for the reader to explain
        return 0


def _nifti_bytes(item: Item) -> int:
    import nibabel

    header: Any = nibabel.load(item.path).header
    voxels = int(np.prod([max(int(n), 1) for n in header.get_data_shape()], dtype=np.int64))
    return voxels * (header.get_data_dtype().itemsize + 4)


def _cause(error: MedUSISError) -> str:
    for words, code in _CAUSES:
        if words in error.message:
            return code
    return "BAD_HEADER" if error.code is ErrorCode.GEOMETRY_MISMATCH else "DAMAGED"


def _measured(volume: Volume, item: Item, role: str) -> Measurement:
    found = recognise(volume, item.modality, item.image_type, name_facts(item.name).role)
    problems = [*found.problems, *_not_finite(volume)]
    if is_synthetic(item):
        problems.append(("SYNTHETIC", "its header says that it is synthetic"))
    if (role or found.kind) != "labels":  # labels are as their image is
        problems += _geometry_problems(volume.geometry)
    in_order, in_any_order = voxel_fingerprints(volume.array_kji)
    result = Measurement(found.kind, found.reason, tuple(problems), volume.geometry, in_order, in_any_order)
    if (role or found.kind) != "labels":
        return result
    counts = label_counts(volume.array_kji)
    if counts is None:
        problem = ("DERIVED_MAP", "it is used as labels, but its values are not whole numbers")
        return replace(result, problems=(*result.problems, problem))
    if not any(counts) and not any(code == "EMPTY_LABELS" for code, _ in problems):
        result = replace(result, problems=(*result.problems, ("EMPTY_LABELS", "it is zero everywhere")))
    return replace(result, labels=counts)


def label_counts(array_kji: np.ndarray) -> dict[int, int] | None:
    """Voxels of each value other than 0; None when values are not whole numbers, or are thousands."""
    try:
        integers = as_integers(array_kji)
    except MedUSISError:
        return None
    counts: dict[int, int] = {}
    for _, chunk in chunks(integers):
        values, numbers = np.unique(chunk, return_counts=True)
        for value, number in zip(values.tolist(), numbers.tolist(), strict=True):
            counts[value] = counts.get(value, 0) + number
        if len(counts) > _MOST_LABELS:
            return None
    counts.pop(0, None)
    return dict(sorted(counts.items()))


def _not_finite(volume: Volume) -> list[tuple[str, str]]:
    for note in volume.meta.get("notes", []):
        match = re.match(r"(\d+) voxels without a finite value", note)
        if match:
            share = 100 * int(match[1]) / volume.array_kji.size
            return [("NOT_FINITE", f"{match[1]} voxels ({share:.2g} %) are not a number or infinite")]
    return []


def _geometry_problems(geometry: Geometry) -> list[tuple[str, str]]:
    extent = [n * s for n, s in zip(geometry.size_ijk, geometry.spacing_mm, strict=True)]
    shown = " x ".join(f"{e:.0f}" for e in extent)
    if min(geometry.size_ijk) == 1:
        return [("SINGLE_SLICE", f"it has {' x '.join(map(str, geometry.size_ijk))} voxels")]
    problems = []
    stack, *plane = sorted(extent)
    if stack < _SMALL_STACK_MM or min(plane) < _SMALL_IN_PLANE_MM or min(geometry.size_ijk) < _FEW_SLICES:
        problems.append(("SMALL_FIELD_OF_VIEW", f"it shows {shown} mm"))
    thick, thin = max(geometry.spacing_mm), min(geometry.spacing_mm)
    if thick > _THICK_MM or thick / thin > _ANISOTROPY:
        spacing = " x ".join(f"{s:.3g}" for s in geometry.spacing_mm)
        problems.append(("ANISOTROPIC", f"its voxels are {spacing} mm"))
    return problems
