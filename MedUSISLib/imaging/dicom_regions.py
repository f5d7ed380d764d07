"""Named regions on the grid of a CT: what a DICOM SEG, an RTSTRUCT and a folder of masks have in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_files import is_dicom_file
from MedUSISLib.imaging.dicom_values import values_taken_as_they_are
from MedUSISLib.imaging.packed_pixels import PackedTooClosely, elements_of
from MedUSISLib.imaging.volume import Volume

ROLE = "the segmentation"
_TAGS = ["Modality", "SOPClassUID", "SeriesInstanceUID"]
_KINDS = ("SEG", "RTSTRUCT")
MASKS = "MASKS"
"""Kind of a folder with one mask for each structure."""
_MANY = 10_000


@dataclass(frozen=True)
class NamedRegion:
    """One segment or region of interest.

    Attributes
    ----------
    number : int
        Segment number or ROI number; 1 or more.
    name : str
    mask : callable
        Gives the region as bool ``[k, j, i]`` on the CT's grid; made when it is called.
    snomed_code : str
        SNOMED CT code of what it is, "" when the object says none.
    kind : str
        Interpreted type of an ROI ("ORGAN", "EXTERNAL", "PTV", ...), "" when the object says none.
    """

    number: int
    name: str
    mask: Callable[[], np.ndarray]
    snomed_code: str = ""
    kind: str = ""


@dataclass
class Regions:
    """What a SEG, an RTSTRUCT or a folder of masks holds.

    Attributes
    ----------
    regions : list of NamedRegion
        In the order of the object.
    notes : list of (code, message)
        What the user should know.
    resampled : bool
        The voxels of the object are not the CT's: the nearest ones are taken.
    """

    regions: list[NamedRegion]
    notes: list[tuple[str, str]] = field(default_factory=list)
    resampled: bool = False


def segmentation_object(path: Path) -> tuple[Path, str] | None:
    """The file and kind ("SEG", "RTSTRUCT") of the object that a path stands for; None when it is something else.

    Parameters
    ----------
    path : Path
        A file, or a folder with exactly one such object (images beside it do not matter). A folder without one that
        holds volumes is the kind "MASKS".

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE for a folder with several of them.
    """
    path = Path(path)
    if _is_file(path):
        kind = _kind(path)
        return (path, kind) if kind else None
    if not path.is_dir():
        return None
    files = [one for one in sorted(path.rglob("*"))[:_MANY] if one.is_file()]
    found = [(one, kind) for one in files if (kind := _kind(one))]
    if len(found) > 1:
        raise unreadable(f"is a folder with {len(found)} DICOM SEG or RTSTRUCT objects", "give one of the files", path)
    if not found:
        from MedUSISLib.imaging.mask_folder import mask_files

        return (path, MASKS) if mask_files(path) else None
    return found[0]


def read_regions(path: Path, kind: str, ct: Volume, but: Path | None = None) -> Regions:
    """Read a SEG, an RTSTRUCT or a folder of masks for a CT, whose own file ``but`` is no mask.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE, GEOMETRY_MISMATCH (another frame of reference, contours between the slices),
        EMPTY_SEGMENTATION, DEPENDENCY_MISSING.
    """
    with _damage_named(path, kind):
        if kind == MASKS:
            from MedUSISLib.imaging.mask_folder import read_masks

            found = read_masks(path, ct, but)
        elif kind == "SEG":
            from MedUSISLib.imaging.dicom_segments import read_segments

            found = read_segments(path, ct)
        else:
            from MedUSISLib.imaging.dicom_contours import read_contours

            found = read_contours(path, ct)
    found.regions = [replace(region, mask=_guarded(region.mask, path, kind)) for region in found.regions]
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # a name that is too long, say
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise unreadable(f"cannot be opened ({reason})", "check the path", path) from None


def _guarded(mask: Callable[[], np.ndarray], path: Path, kind: str) -> Callable[[], np.ndarray]:
    """Voxels are decoded when they are asked for, and may be damaged then."""

    def guarded() -> np.ndarray:
        with _damage_named(path, kind):
            return mask()

    return guarded


@contextmanager
def _damage_named(path: Path, kind: str) -> Iterator[None]:
    try:
        with values_taken_as_they_are():
            yield
    except (MedUSISError, MemoryError):
        raise
    except PackedTooClosely:
        raise _claims_too_much(path) from None
    except ImportError as error:
        raise MedUSISError(
            ErrorCode.DEPENDENCY_MISSING,
            f"the package {error.name} is not installed: it reads DICOM SEG",
            'pip install "medusis[dicom]"; 3D Slicer brings it along',
        ) from None
    except Exception:  # of a damaged object the libraries complain in every way there is
        what = "folder of masks" if kind == MASKS else f"DICOM {kind}"
        raise unreadable(f"is a damaged or incomplete {what}", "export it again", path) from None


def require_frame(frame_uid: str, ct: Volume) -> list[tuple[str, str]]:
    """Refuse an object in another frame of reference than the CT; a note when one of them does not say.

    Raises
    ------
    MedUSISError
        GEOMETRY_MISMATCH.
    """
    own = str(ct.meta.get("frame_of_reference_uid", ""))
    if own and frame_uid and own != frame_uid:
        raise MedUSISError(
            ErrorCode.GEOMETRY_MISMATCH,
            f"{ROLE} is in another DICOM frame of reference than the CT: its positions mean other places",
            "give the segmentation that was drawn on this CT, or register and resample it first",
        )
    if own and frame_uid:
        return []
    return [
        ("FRAME_NOT_CHECKED", "CT or segmentation have no frame of reference: that they belong together is trusted")
    ]


def unreadable(what: str, hint: str, path: Path) -> MedUSISError:
    """``INPUT_NOT_READABLE`` about the segmentation."""
    return MedUSISError(ErrorCode.INPUT_NOT_READABLE, f"{ROLE} {what}", hint, path)


def _claims_too_much(path: Path) -> MedUSISError:
    return unreadable("claims more voxels than any segmentation has, or unpacks to them", "export it again", path)


def _kind(path: Path) -> str:
    if not is_dicom_file(path):
        return ""
    try:
        modality = str(elements_of(path, _TAGS).get("Modality", ""))
    except PackedTooClosely:
        raise _claims_too_much(path) from None
    except (Exception, MemoryError):  # not a file that anybody can read; a header claims any number of bytes
        return ""
    return modality if modality in _KINDS else ""
