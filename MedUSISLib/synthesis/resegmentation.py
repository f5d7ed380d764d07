"""Is the anatomy recognisable? The synthetic MR is segmented again and compared with the labels it was made from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.evaluation.dice import DiceRow, dice_per_class
from MedUSISLib.progress import Progress, StepsOnly
from MedUSISLib.synthesis.result import SynthesisResult

if TYPE_CHECKING:
    from MedUSISLib.imaging.geometry import Geometry
    from MedUSISLib.imaging.volume import Volume

Segmentator = Callable[["Volume"], "Volume"]
"""From an MR to class indices of the generator's schema, on the MR's grid."""

SMALL_CLASS_ML = 1.0
"""Classes smaller than this do not count in the mean Dice: a shift by half a voxel ruins them."""


def resegmentation(
    result: SynthesisResult, segmentator: Segmentator | None, progress: Progress | None
) -> dict[str, Any]:
    """The part ``resegmentation`` of quality.json: Dice per class, or why there is none.

    Parameters
    ----------
    result : SynthesisResult
    segmentator : callable or None
        ``None`` takes the bundled ``head-seg`` where it fits.
    progress : Progress or None

    Raises
    ------
    MedUSISError
        Only CANCELLED.
    """
    try:
        if segmentator is None:
            segmentator, reason = bundled_segmentator(result, progress)
            if segmentator is None:
                return {"available": False, "reason": reason, "mean_dice": None, "classes": []}
        again = segmentator(result.mr)
        rows = dice_per_class(result.labels.array_kji, again.array_kji, result.schema)
    except MedUSISError as error:
        if error.code == ErrorCode.CANCELLED:
            raise
        return _not_segmented(f"the segmentation of the MR failed: {error.message}")
    except Exception as error:  # a measure must not cost the user the finished volume
        return _not_segmented(f"the segmentation of the MR failed ({type(error).__name__})")
    geometry = result.ct.geometry
    counted = [
        row.dice
        for row in rows
        if row.dice is not None and millilitres(geometry, row.reference_voxels) > SMALL_CLASS_ML
    ]
    return {
        "available": True,
        "reason": "",
        "mean_dice": sum(counted) / len(counted) if counted else None,
        "small_class_ml": SMALL_CLASS_ML,
        "classes": [_with_volume(row, result) for row in rows],
    }


def bundled_segmentator(result: SynthesisResult, progress: Progress | None = None) -> tuple[Segmentator | None, str]:
    """``head-seg`` for results of the ``head`` schema, or ``None`` and the reason."""
    if result.schema.id != "head":
        return None, f"there is no bundled segmentation network for the label schema '{result.schema.id}'"
    try:
        from MedUSISLib.generators.bundle import load_bundle
        from MedUSISLib.segmentation.segment import segment_volume

        load_bundle("head-seg")
    except ImportError:
        return None, "the segmentation part of MedUSIS is not installed"
    except MedUSISError as error:
        return None, f"the segmentation network 'head-seg' is not available ({error.code.value})"
    listener = StepsOnly(progress or Progress())
    return lambda volume: segment_volume(volume, kind="mr", device=result.request.device, progress=listener), ""


def _not_segmented(reason: str) -> dict[str, Any]:
    return {"available": False, "reason": reason, "mean_dice": None, "classes": []}


def _with_volume(row: DiceRow, result: SynthesisResult) -> dict[str, Any]:
    return {**row.as_dict(), "volume_ml": millilitres(result.ct.geometry, row.reference_voxels)}


def millilitres(geometry: Geometry, voxels: int) -> float:
    """Volume of a number of voxels."""
    return voxels * geometry.voxel_volume_mm3 / 1000
