"""Slow shading of MR, estimated and divided out."""

from __future__ import annotations

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.trouble import is_out_of_memory


def n4(
    volume: Volume,
    mask: np.ndarray | None = None,
    shrink: int = 4,
    iterations: tuple[int, ...] = (50, 50, 50),
    threads: int | None = None,
) -> Volume:
    """The volume without its bias field.

    The field is estimated on every ``shrink``-th voxel (as far as an axis has enough of them) and evaluated at full
    resolution.

    Parameters
    ----------
    volume : Volume
        MR intensities, not negative.
    mask : bool array [k, j, i], optional
        Where the field is estimated; default: above a fifth of the mean.
    shrink : int
        Step of the estimate, per axis at most a quarter of its voxels.
    iterations : tuple of int
        At most this many per level, coarse to fine.
    threads : int, optional
        As many as there are cores when absent. The field differs a little with their number.

    Returns
    -------
    Volume
        float32, median inside the mask as before.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` when the mask is empty, or there is too little to estimate a field from.

    References
    ----------
    Tustison et al., N4ITK: improved N3 bias correction, IEEE TMI 29 (2010).
    """
    import SimpleITK as sitk

    from MedUSISLib.imaging.volume import to_sitk

    array = volume.array_kji.astype(np.float32, copy=False)
    if mask is None:
        mask = array > array.mean() / 5
    if not mask.any():
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            "the MR is empty where its shading should be estimated",
            "give an MR that shows something",
        )
    factors = [int(min(shrink, max(1, n // 4))) for n in volume.geometry.size_ijk]
    image = to_sitk(volume.with_array(array))
    small = sitk.Shrink(image, factors)
    small_mask = sitk.Shrink(to_sitk(volume.with_array(mask.astype(np.uint8))), factors)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations(list(iterations))
    usual = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    # The filters that N4 is made of ask for the default, not for the corrector's own number.
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads or usual)
    try:
        corrector.Execute(small, small_mask)
        field = sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(image))
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            "the shading of the MR cannot be estimated: it has too few slices or voxels, or voxels of a thousandth of a"
            " millimetre",
            "give the whole volume, and look at its spacing",
        ) from None
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(usual)
    result = array / np.exp(field)
    before, after = float(np.median(array[mask])), float(np.median(result[mask]))
    if after > 0:
        result *= before / after
    return volume.with_array(result.astype(np.float32, copy=False))
