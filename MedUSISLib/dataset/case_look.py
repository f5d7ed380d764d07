"""One case, read together: do the labels lie on the body, how much of it do they cover, and a picture of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from MedUSISLib.anatomy.lookup import as_integers
from MedUSISLib.dataset.items import Item
from MedUSISLib.dataset.measuring import read_item
from MedUSISLib.dataset.thumbnails import shrunk, thumbnail
from MedUSISLib.errors import MedUSISError
from MedUSISLib.imaging.axis_operator import Interpolation
from MedUSISLib.imaging.body import body_mask
from MedUSISLib.imaging.coverage import SMALLEST_COVERAGE, align_labels, segmentation_coverage
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.resampling import resample
from MedUSISLib.imaging.volume import Volume

# A segmentation of all tissues covers nearly everything; organs of a trunk alone about a fifth.
_LITTLE = 0.3
# Skin and couch make a few percent; a mirrored or shifted map has far more of its labels in air.
_OUTSIDE = 0.25
_WHOLE = 0.95
_ELSEWHERE = 0.5


@dataclass(frozen=True)
class CaseTask:
    """What to read. ``colors`` are those of label values; ``ct_in_hu`` is false for a CT that lost its units."""

    ct: Item | None
    mr: Item | None
    labels: Item | None
    ct_in_hu: bool = True
    colors: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class CaseLook:
    """Problems of the pair, coverage of the body (CT only), and pictures (JPEG) by role."""

    problems: tuple[tuple[str, str], ...] = ()
    coverage: float | None = None
    pictures: tuple[tuple[str, bytes], ...] = ()


def look_at_case(task: CaseTask) -> CaseLook:
    """Read the files of a case and compare them; what cannot be read has been reported before and is passed over."""
    labels = _label_map(task.labels)
    problems: dict[str, str] = {}
    pictures: list[tuple[str, bytes]] = []
    coverage = None
    for role, item in (("ct", task.ct), ("mr", task.mr)):
        if item is None:
            continue
        try:
            image = shrunk(read_item(item))
        except MedUSISError:
            continue
        hu = role == "ct" and task.ct_in_hu
        on_image = None
        if labels is not None and labels.array_kji.any():
            on_image, elsewhere = _on_image(labels, image)
            if hu:
                found, coverage = _compared(on_image, elsewhere, image, labels)
                problems.update(found)
            elif elsewhere > _ELSEWHERE:
                problems.setdefault("GEOMETRY_MISMATCH", _elsewhere(elsewhere))
        pictures.append((role, thumbnail(image, hu, on_image, image.geometry, task.colors)))
    if labels is not None and not pictures:
        small = shrunk(labels)
        pictures.append(("labels", thumbnail(None, False, small.array_kji, small.geometry, task.colors)))
    return CaseLook(tuple(problems.items()), coverage, tuple(pictures))


def _label_map(item: Item | None) -> Volume | None:
    if item is None:
        return None
    try:
        volume = read_item(item)
        return volume.with_array(as_integers(volume.array_kji))
    except MedUSISError:
        return None


def _on_image(labels: Volume, image: Volume) -> tuple[np.ndarray | None, float]:
    """Labels on the (shrunk) image's grid, and the share of them that lies elsewhere."""
    try:
        aligned, _ = align_labels(labels, image.geometry)
    except MedUSISError:
        return None, 1.0
    return aligned.array_kji, max(0.0, 1 - _labelled_mm3(aligned) / _labelled_mm3(labels))


def _labelled_mm3(labels: Volume) -> float:
    return int(np.count_nonzero(labels.array_kji)) * labels.geometry.voxel_volume_mm3


def _elsewhere(share: float) -> str:
    return f"{100 * share:.0f} % of the labels lie outside the image"


def _compared(
    on_image: np.ndarray | None, elsewhere: float, ct: Volume, labels: Volume
) -> tuple[dict[str, str], float | None]:
    """Labels against the body in the CT: problems by code, and the labelled part of the body."""
    body = body_mask(ct)
    if on_image is None or elsewhere > _ELSEWHERE:
        return {"GEOMETRY_MISMATCH": _elsewhere(elsewhere) + _better_without_header(labels, ct, body, elsewhere)}, None
    coverage = segmentation_coverage(on_image, body)
    outside = _share_outside(on_image != 0, body)
    problems = {}
    if outside > _OUTSIDE and coverage > _WHOLE:
        # They lie rightly and reach too far: a body contour with couch and cushions, or air with a label of its own.
        problems["LABELS_IN_AIR"] = f"{100 * outside:.0f} % of the labelled voxels are air outside the body"
    elif outside > _OUTSIDE:
        what = f"{100 * outside:.0f} % of the labelled voxels lie outside the body"
        problems["GEOMETRY_MISMATCH"] = what + _better_without_header(labels, ct, body, outside)
    elif coverage < SMALLEST_COVERAGE:
        problems["NO_COVERAGE"] = f"labels cover {100 * coverage:.1f} % of the body"
    elif coverage < _LITTLE:
        problems["LOW_COVERAGE"] = f"labels cover {100 * coverage:.0f} % of the body"
    return problems, round(coverage, 4)


def _better_without_header(labels: Volume, ct: Volume, body: np.ndarray, outside: float) -> str:
    """Whether the same voxels laid on the CT one by one fit far better: then only the header is wrong."""
    sides = [n * s for n, s in zip(ct.geometry.size_ijk, ct.geometry.spacing_mm, strict=True)]
    size = labels.geometry.size_ijk
    spacing = [side / n for side, n in zip(sides, size, strict=True)]
    if max(abs(a / b - 1) for a, b in zip(spacing, labels.geometry.spacing_mm, strict=True)) > 0.05:
        return ""
    grid = Geometry(size, (spacing[0], spacing[1], spacing[2]), ct.geometry.origin_lps_mm, ct.geometry.direction)
    on_ct = resample(Volume(labels.array_kji, grid), ct.geometry, Interpolation.NEAREST).array_kji != 0
    fits = on_ct.any() and _share_outside(on_ct, body) < 0.5 * outside
    return "; laid on it voxel by voxel they fit, so only the header is wrong" if fits else ""


def _share_outside(labelled: np.ndarray, body: np.ndarray) -> float:
    return int(np.count_nonzero(labelled & ~body)) / max(int(np.count_nonzero(labelled)), 1)
