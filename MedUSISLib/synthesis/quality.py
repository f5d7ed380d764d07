"""quality.json: what a synthetic MR's own maps, its CT and its labels say about it, without a real MR to compare with.

Everything is measured on the CT's grid, slice by slice, so that a large volume does not need a second copy in memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from MedUSISLib.evaluation.class_table import ClassRow, class_table, compare_class_means
from MedUSISLib.evaluation.dice import dice
from MedUSISLib.evaluation.mask_consistency import extract_mask, largest_disagreement, summarise_consistency
from MedUSISLib.evaluation.stripe_index import slice_flicker, stripe_index
from MedUSISLib.evaluation.surface_distance import hd95
from MedUSISLib.evaluation.uncertainty import review_needed, summarise_uncertainty
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.quality_flags import quality_flags, verdict
from MedUSISLib.synthesis.resegmentation import Segmentator, millilitres, resegmentation
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE, MaskConsistency, SynthesisResult

if TYPE_CHECKING:
    from MedUSISLib.imaging.geometry import Geometry

_ANATOMICAL_AXIS = {"sagittal": 0, "coronal": 1, "axial": 2}


def quality_report(
    result: SynthesisResult, network_segmentator: Segmentator | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Measure a result; the dictionary is what quality.json holds.

    Parameters
    ----------
    result : SynthesisResult
        Not changed. ``statistics`` may hold ``unlabelled_body_fraction``, ``global_uncertainty`` and more, which
        only the engine knows exactly; what is absent is measured from the maps.
    network_segmentator : callable, optional
        Segments the MR again. Default: the bundled ``head-seg`` when the schema is ``head`` and the bundle is there;
        otherwise the report says why there is no per-class Dice.
    progress : Progress, optional
        Hears the steps of the bundled segmentator, by far the longest part, and may cancel it.

    Returns
    -------
    dict
        Plain JSON values; ``None`` where a number does not exist. Keys: ``body``, ``mask_consistency``,
        ``resegmentation``, ``intensity``, ``uncertainty``, ``noise_spread``, ``stripes``, ``seam_index``,
        ``unlabelled_body_fraction``, ``segmentation``, ``timings_s``, ``peak_memory_mb``, ``flags``, ``verdict``,
        ``review``. docs/quality.md explains each.

    Raises
    ------
    MedUSISError
        Only CANCELLED, from the segmentator: a measure that fails is reported, it does not spoil the synthesis.
    """
    start = time.perf_counter()
    quality: dict[str, Any] = {
        "notice": SYNTHETIC_NOTICE,
        "generator": {"id": result.manifest.id, "version": result.manifest.version},
        "body": _body(result),
        "mask_consistency": _mask_consistency(result),
        "resegmentation": resegmentation(result, network_segmentator, progress),
        "intensity": _intensity(result),
        "uncertainty": _uncertainty(result),
        "noise_spread": _noise_spread(result),
        "stripes": _stripes(result),
        "seam_index": result.statistics.get("seam_index"),
        "unlabelled_body_fraction": _unlabelled(result),
        "segmentation": {
            "coverage": result.statistics.get("segmentation_coverage"),
            "was_resampled": result.statistics.get("segmentation_was_resampled"),
            "filled_body_fraction": result.statistics.get("filled_body_fraction"),
        },
        "timings_s": {**result.timings, "measuring": time.perf_counter() - start},
        "peak_memory_mb": result.peak_memory_bytes / 2**20 if result.peak_memory_bytes else None,
        "warnings": [{"code": w.code, "message": w.message} for w in result.warnings],
    }
    quality = _plain(quality)
    quality["flags"] = [flag.as_dict() for flag in quality_flags(quality)]
    quality["verdict"] = verdict(quality["flags"]).value
    quality["review"] = quality["uncertainty"]["review"]
    return quality


def slice_axis_of(geometry: Geometry, view: str = "axial") -> int:
    """The array axis (0 = k, 1 = j, 2 = i) whose direction is nearest to the normal of a view."""
    row = np.abs(geometry.axes[_ANATOMICAL_AXIS[view]])
    return 2 - int(np.argmax(row))


def spacing_kji(geometry: Geometry) -> tuple[float, float, float]:
    """Voxel size in the order of the array's axes."""
    i, j, k = geometry.spacing_mm
    return k, j, i


def _body(result: SynthesisResult) -> dict[str, Any]:
    axis = slice_axis_of(result.ct.geometry, result.manifest.grid.slice_axis)
    code = result.mask_consistency.array_kji
    box = _box_of_both(result.body.array_kji, code)
    body = _outline(result.body.array_kji, box, axis, spacing_kji(result.ct.geometry))
    # AGREE and TISSUE_TOO_MUCH are the odd ones; a table lookup would make an index array of eight bytes a voxel.
    in_mr = (code[box].astype(np.uint8, copy=False) & np.uint8(1)).view(bool)
    return {
        "dice": dice(body, in_mr),
        "hd95_mm": hd95(body, in_mr, spacing_kji(result.ct.geometry)),
        "ct_volume_ml": millilitres(result.ct.geometry, int(np.count_nonzero(body))),
        "mr_volume_ml": millilitres(result.ct.geometry, int(np.count_nonzero(in_mr))),
    }


def _box_of_both(body: np.ndarray, code: np.ndarray) -> tuple[slice, slice, slice]:
    """The smallest box around the CT's and the MR's body: half of a large volume that need not be held twice."""
    along = [np.zeros(size, bool) for size in body.shape]
    for k, (inside, plane) in enumerate(zip(body, code, strict=True)):
        either = inside.astype(bool, copy=False) | (plane % 2 == 1)
        along[1] |= either.any(axis=1)
        along[2] |= either.any(axis=0)
        along[0][k] = either.any()
    ends = [np.flatnonzero(hit) for hit in along]
    box = [slice(int(hit[0]), int(hit[-1]) + 1) if len(hit) else slice(0, 0) for hit in ends]
    return box[0], box[1], box[2]


def _outline(
    body: np.ndarray, box: tuple[slice, slice, slice], axis: int, spacing: tuple[float, float, float]
) -> np.ndarray:
    """The CT's body as the extractor of the MR's mask would see it: cavities that a gap opens to the outside filled.

    Otherwise nose and ear canals, which one mask has and the other has not, would be most of the surface distance.
    Only the box is kept: no step of the extractor reaches beyond the body's own.
    """
    result = np.zeros(body[box].shape, bool)
    in_plane = [s for a, s in enumerate(spacing) if a != axis]
    first, second = (part for a, part in enumerate(box) if a != axis)
    planes = np.moveaxis(body, axis, 0)[box[axis]]
    for source, target in zip(planes, np.moveaxis(result, axis, 0), strict=True):
        target[...] = extract_mask(source, 0.5, (in_plane[0], in_plane[1]))[first, second]
    return result


def _mask_consistency(result: SynthesisResult) -> dict[str, Any]:
    axis = slice_axis_of(result.ct.geometry, result.manifest.grid.slice_axis)
    slices = np.moveaxis(result.mask_consistency.array_kji, axis, 0)
    summary = summarise_consistency(slices)
    # A slice that only grazes the vertex has no Dice worth naming.
    area = np.array([np.count_nonzero(plane) for plane in slices])
    large = area >= 0.1 * area.max(initial=0)
    known = [(value, n) for n, value in enumerate(summary.slice_dice) if value is not None and large[n]]
    worst = min(known, default=None)
    first, second = (s for a, s in enumerate(spacing_kji(result.ct.geometry)) if a != axis)
    missing, excess = (
        largest_disagreement(slices, code, (first, second))
        for code in (MaskConsistency.TISSUE_MISSING, MaskConsistency.TISSUE_TOO_MUCH)
    )
    return {
        "dice": summary.dice,
        "missing_fraction": summary.missing_fraction,
        "excess_fraction": summary.excess_fraction,
        "largest_missing_mm2": missing[0],
        "largest_missing_slice": missing[1],
        "largest_excess_mm2": excess[0],
        "largest_excess_slice": excess[1],
        "slices_along": "kji"[axis],
        "threshold": result.manifest.review.body_dice,
        "worst_slice": None if worst is None else {"index": worst[1], "dice": worst[0]},
    }


def _intensity(result: SynthesisResult) -> dict[str, Any]:
    rows = class_table(result.mr.array_kji, result.labels.array_kji, result.schema)
    expected = result.manifest.results.get("class_means_real")
    comparison = None
    if isinstance(expected, Mapping):
        real = [
            ClassRow(row.index, row.name, row.title, row.count, float(expected[row.name]), None)
            for row in rows
            if isinstance(expected.get(row.name), int | float)
        ]
        comparison = compare_class_means(real, rows)
    return {
        "unit": result.manifest.intensity.unit,
        "minimum": result.manifest.intensity.minimum,
        "maximum": result.manifest.intensity.maximum,
        "classes": [
            {**row.as_dict(), "volume_ml": millilitres(result.ct.geometry, row.count)} for row in rows if row.count
        ],
        "expected": {k: v for k, v in expected.items()} if isinstance(expected, Mapping) else None,
        "comparison": comparison,
    }


def _uncertainty(result: SynthesisResult) -> dict[str, Any]:
    passes = result.request.passes if result.manifest.dropout.rate > 0 else 1
    threshold = result.manifest.review.uncertainty
    base: dict[str, Any] = {
        "passes": passes,
        "threshold": threshold,
        "threshold_passes": result.manifest.review.passes,
        "global": None,
        "review": None,
        "deviation_percentiles": None,
        "classes": [],
    }
    if passes < 2:
        return base
    summary = summarise_uncertainty(
        result.uncertainty.array_kji, result.body.array_kji, result.labels.array_kji, result.schema
    )
    if summary is None:
        return base
    value = result.statistics.get("global_uncertainty")
    value = summary.mean_variance if value is None else float(value)
    review = result.statistics.get("review")
    return {
        **base,
        "global": value,
        "review": review_needed(value, threshold) if review is None else bool(review),
        "deviation_percentiles": summary.deviation_percentiles,
        "histogram": {"edges": summary.histogram_edges, "counts": summary.histogram_counts},
        "classes": [
            {"name": row.name, "mean_variance": row.mean, "deviation": math.sqrt(max(row.mean or 0.0, 0.0))}
            for row in summary.classes
            if row.count
        ],
    }


def _noise_spread(result: SynthesisResult) -> dict[str, Any] | None:
    if result.noise_spread is None:
        return None
    summary = summarise_uncertainty(result.noise_spread.array_kji, result.body.array_kji)
    if summary is None:
        return None
    return {
        "samples": result.request.noise_samples,
        "global": summary.mean_variance,
        "deviation_percentiles": summary.deviation_percentiles,
    }


def _stripes(result: SynthesisResult) -> dict[str, Any]:
    view = result.manifest.grid.slice_axis
    axis = slice_axis_of(result.mr.geometry, view)
    spacing = spacing_kji(result.mr.geometry)
    within = [s for a, s in enumerate(spacing) if a != axis]
    mr, body = result.mr.array_kji, result.body.array_kji
    return {
        "index": stripe_index(mr, body, result.labels.array_kji, axis),
        "index_with_anatomy": stripe_index(mr, body, None, axis),
        "flicker": slice_flicker(mr, body, result.labels.array_kji, axis),
        "view": view,
        "array_axis": "kji"[axis],
        "slice_distance_over_pixel": spacing[axis] / (sum(within) / len(within)),
    }


def _unlabelled(result: SynthesisResult) -> float | None:
    known = result.statistics.get("unlabelled_body_fraction")
    if known is not None:
        return float(known)
    inside = without = 0
    for labels, body in zip(result.labels.array_kji, result.body.array_kji, strict=True):
        body = body.astype(bool)
        inside += int(np.count_nonzero(body))
        without += int(np.count_nonzero(labels[body] == 0))
    return without / inside if inside else None


def _plain(value: Any) -> Any:
    """Plain JSON values: numpy numbers become Python's, and what is not finite becomes ``None``."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
