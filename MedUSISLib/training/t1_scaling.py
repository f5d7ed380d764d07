"""A head T1 brought to the scale that the generator speaks: white matter at 0.7, air at 0."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.imaging.scaling import scale_to_white_matter

WHITE_MATTER = 0.7
CLIP = 1.2


def scaled_by_white_matter(t1: np.ndarray, labels: np.ndarray, schema: LabelSchema) -> np.ndarray:
    """The T1 divided so that the median of white matter is 0.7, clipped at 1.2, zero outside the head.

    Percentiles will not do: they are driven by fat, and white matter then lands anywhere from 0.37 to 0.94.

    Parameters
    ----------
    t1 : ndarray, shape (K, J, I)
        Bias field already corrected.
    labels : ndarray of the same shape
        Class indices of ``schema``, which has a class ``white_matter``.

    Returns
    -------
    ndarray of float32, in [0, 1.2]

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` without white matter.
    """
    white = labels == schema.index_of("white_matter")
    core = ndimage.binary_erosion(white)
    head = ndimage.binary_dilation(labels > 0, iterations=2)
    return scale_to_white_matter(t1, core if core.sum() > 1000 else white, WHITE_MATTER, CLIP, head)
