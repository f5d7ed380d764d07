"""The MR segmented again for its quality report, on the generator's grid and before the large maps exist.

At 512x512x400 and 0.5 mm a CT has six times the voxels of the generator's grid. Bias field, head mask and class scores
of the MR at that size took over four minutes and 2.5 GB, for detail that the MR does not have; on the generator's grid
they take 1.3 GB, which is free while the maps are not yet back on the CT's grid.
"""

from __future__ import annotations

from math import ceil

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.catalogue import available_generators
from MedUSISLib.generators.loaded_bundles import LoadedBundles, give_memory_back
from MedUSISLib.imaging.conform import restore
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.progress import Progress, StepsOnly
from MedUSISLib.synthesis.resegmentation import Segmentator

VOXELS_AT_ONCE = 18_000_000
"""A 256x256 head of 270 mm. Larger volumes are looked at in every second or third slice, to stay within the memory."""

_LARGEST_STEP = 3


class SecondLook:
    """What a segmentation network sees in the MR: labels on (part of) the generator's grid, or why there are none.

    Parameters
    ----------
    labels : Volume or None
    failure : MedUSISError, optional
    """

    def __init__(self, labels: Volume | None, failure: MedUSISError | None = None) -> None:
        self._labels = labels
        self._failure = failure

    def segmentator(self) -> Segmentator:
        """The segmentation as `quality.quality_report` wants it: asked for an MR, it gives labels on its grid."""

        def answer(mr: Volume) -> Volume:
            if self._failure is not None:
                raise self._failure
            assert self._labels is not None
            return restore(self._labels, mr.geometry, "nearest", fill=0)

        return answer


def look_again(
    mr: Volume,
    slice_axis: int,
    schema: LabelSchema,
    device: str,
    progress: Progress,
    bundles: LoadedBundles | None = None,
) -> SecondLook | None:
    """Segment a synthetic MR that is still on the generator's grid.

    Parameters
    ----------
    mr : Volume
        On the generator's grid.
    slice_axis : int
        Array axis of the generator's slices.
    schema : LabelSchema
    device : str
    progress : Progress
    bundles : LoadedBundles, optional
        Where the network is kept between runs.

    Returns
    -------
    SecondLook or None
        None without a segmentation network for this schema (the quality report then says so itself).

    Raises
    ------
    MedUSISError
        Only CANCELLED.
    """
    if schema.id != "head" or not any(entry.id == "head-seg" for entry in available_generators("segmentator")):
        return None
    step = ceil(mr.array_kji.size / VOXELS_AT_ONCE)
    if step > _LARGEST_STEP:
        reason = f"it has {mr.array_kji.size / 1e6:.0f} million voxels on the generator's grid, too many"
        return SecondLook(None, MedUSISError(ErrorCode.OUT_OF_MEMORY, reason))
    progress.stage("segmenting")
    try:
        from MedUSISLib.segmentation.segment import segment_volume

        give_memory_back()  # what large batches of the generator left with the allocators
        seen = every_nth_slice(mr, slice_axis, step)
        labels = segment_volume(seen, kind="mr", device=device, progress=StepsOnly(progress), bundles=bundles)
        # scores and bias field leave 0.2 GB with the allocators, and the large maps come next
        give_memory_back()
        return SecondLook(labels)
    except MedUSISError as error:
        if error.code == ErrorCode.CANCELLED:
            raise
        return SecondLook(None, error)
    except Exception as error:  # a measure must not cost the user the finished volume
        return SecondLook(None, MedUSISError(ErrorCode.INTERNAL, f"unexpected {type(error).__name__}"))


def every_nth_slice(volume: Volume, axis: int, step: int) -> Volume:
    """A part of the slices along an array axis; each stands for the ones beside it."""
    count = volume.array_kji.shape[axis]
    if step == 1 or count < 2 * step:
        return volume
    picked = tuple(slice(step // 2, None, step) if other == axis else slice(None) for other in range(3))
    array = volume.array_kji[picked]
    geometry = volume.geometry
    index = [0.0, 0.0, 0.0]
    index[2 - axis] = step // 2
    spacing = list(geometry.spacing_mm)
    spacing[2 - axis] *= step
    origin = geometry.index_to_lps([index])[0]
    k, j, i = array.shape
    return Volume(
        array,
        Geometry(
            (i, j, k),
            (spacing[0], spacing[1], spacing[2]),
            (float(origin[0]), float(origin[1]), float(origin[2])),
            geometry.direction,
        ),
    )
