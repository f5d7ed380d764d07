"""Whole-head label maps made ready for sampling: 1 mm, axes to the patient's left, back and head, air told apart."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.progress import Progress
from MedUSISLib.training.array_store import Arrays, ArrayStore
from MedUSISLib.training.domain_randomisation.tissues import TISSUE_INDEX, TISSUES

#: Radius in mm of the closing that makes one solid head: mouth and nostrils are about 15 mm wide.
_CLOSING_MM = 8
#: Enclosed zeros smaller than this (voxels of 1 mm) are holes of the automatic labelling, not air cells.
_SMALLEST_AIR_CELL = 40
_VERSION = 1


@dataclass(frozen=True)
class HeadLabels:
    """A prepared label map.

    Attributes
    ----------
    tissues_kji : ndarray of uint8, shape (K, J, I)
        Index into ``TISSUES``; 1 mm isotropic; i to the left, j to the back, k to the head.
    vertex_k : int
        Highest slice that still holds head.
    """

    tissues_kji: np.ndarray
    vertex_k: int


def _tissue_lookup(largest: int) -> np.ndarray:
    lookup = np.full(largest + 1, 255, np.uint8)
    for index, tissue in enumerate(TISSUES):
        for value in tissue.ids:
            if value <= largest:
                lookup[value] = index
    return lookup


def _with_air(tissues: np.ndarray) -> np.ndarray:
    """Tell enclosed air from the outside and close the labelling's pin holes."""
    head = tissues > 0
    padded = np.pad(head, _CLOSING_MM + 1)
    distance = ndimage.distance_transform_edt(~padded)
    grown = distance <= _CLOSING_MM
    closed = ndimage.distance_transform_edt(grown) > _CLOSING_MM
    inner = (slice(_CLOSING_MM + 1, -_CLOSING_MM - 1),) * 3
    solid = ndimage.binary_fill_holes(closed[inner] | head)
    enclosed = solid & ~head
    components, count = ndimage.label(enclosed)
    sizes = ndimage.sum_labels(enclosed, components, np.arange(count + 1))
    small = (sizes < _SMALLEST_AIR_CELL)[components] & enclosed
    nearest = ndimage.distance_transform_edt(~head, return_distances=False, return_indices=True)
    result = tissues.copy()
    result[small] = tissues[tuple(nearest[:, small])]
    result[enclosed & ~small] = TISSUE_INDEX["air"]
    return result


def prepare(path: Path) -> HeadLabels:
    """Read a SynthSeg / FreeSurfer whole-head label map.

    Parameters
    ----------
    path : Path
        Label map with extracerebral ids (500+), any orientation and spacing.

    Raises
    ------
    MedUSISError
        ``UNKNOWN_LABELS`` for ids that are not in ``TISSUES``.
    """
    image = sitk.DICOMOrient(sitk.ReadImage(str(path), sitk.sitkInt32), "LPS")
    if not np.allclose(image.GetSpacing(), 1.0, atol=0.02):
        size = [int(round(n * s)) for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True)]
        image = sitk.Resample(
            image, size, sitk.Transform(), sitk.sitkNearestNeighbor, image.GetOrigin(), (1.0,) * 3, image.GetDirection()
        )
    values = sitk.GetArrayFromImage(image)
    tissues = _tissue_lookup(int(values.max()))[values]
    if (tissues == 255).any():
        unknown = sorted(int(v) for v in np.unique(values[tissues == 255]))
        raise MedUSISError(
            ErrorCode.UNKNOWN_LABELS,
            f"a whole-head label map holds ids that no tissue is known for: {unknown}",
            "add them to MedUSISLib/training/domain_randomisation/tissues.py",
            path,
        )
    tissues = _with_air(tissues)
    # One stray voxel above the head must not become the vertex: ask for 20 mm2 of head.
    area = (tissues > 0).sum(axis=(1, 2))
    return HeadLabels(tissues, int(np.flatnonzero(area > 20).max()))


def prepare_cached(path: Path, cache: Path, progress: Progress | None = None) -> HeadLabels:
    """``prepare`` remembered in ``cache`` under a name made from the file's content and this code's version."""
    key = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]

    def make() -> Arrays:
        labels = prepare(path)
        return {"tissues": labels.tissues_kji, "vertex": np.asarray(labels.vertex_k)}

    arrays = ArrayStore(cache, f"head-labels-v{_VERSION}").get(key, make, progress or Progress())
    return HeadLabels(arrays["tissues"], int(arrays["vertex"]))
