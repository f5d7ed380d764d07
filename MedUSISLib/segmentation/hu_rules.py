"""What Hounsfield units say about a voxel's class, added to what the network says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MedUSISLib.imaging.geometry import Geometry

#: Brain tissue of CTs differs by scanner and kernel; rules inside the skull are relative to its median.
USUAL_BRAIN_HU = 33.0
_PLAUSIBLE_BRAIN_HU = (20.0, 50.0)
#: Fluid lies about this far below the brain's median, and grey matter never that low.
_FLUID_BELOW_BRAIN_HU = 11.0
_BLOOD_ABOVE_BRAIN_HU = 12.0
_BRAIN_CLASSES = ("cortex", "white_matter", "deep_grey", "cerebellum", "brainstem", "brain")


@dataclass(frozen=True)
class HuRange:
    """CT numbers that a class can have; outside, its score falls by one per ``softness`` HU."""

    low: float
    high: float
    softness: float = 25.0

    def penalty(self, hu: np.ndarray) -> np.ndarray:
        """Non-negative, 0 inside the range, at most 12."""
        outside = np.maximum(np.maximum(self.low - hu, hu - self.high), 0)
        return np.minimum(outside / np.float32(self.softness), np.float32(12))


#: Ranges of single voxels with the noise of a head CT. Bone is told from soft tissue at about 200 HU, fat from muscle
#: at -30 HU, air from everything else at -400 HU. The upper end of vessels is that of a CT without contrast: with a
#: higher one the partial volume along the inner table became a ring of vessels.
HU_RANGES: dict[str, HuRange] = {
    "skin": HuRange(-250, 300, 40),
    "fat": HuRange(-300, -30, 15),
    "soft_tissue": HuRange(-30, 220, 15),
    "cortical_bone": HuRange(220, 4000, 50),
    "cancellous_bone": HuRange(130, 900, 60),
    "air": HuRange(-1100, -400, 40),
    "csf": HuRange(-30, 60, 25),
    "cortex": HuRange(-5, 100, 25),
    "white_matter": HuRange(-10, 90, 25),
    "deep_grey": HuRange(-5, 110, 25),
    "cerebellum": HuRange(-10, 110, 25),
    "brainstem": HuRange(-10, 110, 25),
    "eyes": HuRange(-40, 150, 25),
    "vessels": HuRange(20, 100, 15),
    "brain": HuRange(-10, 110, 25),
}


def smoothed_brain_hu(hu_kji: np.ndarray, geometry: Geometry, sigma_mm: float = 1.5) -> np.ndarray:
    """CT smoothed in the plane inside a brain window, so that the few HU between fluid and brain stand out of noise.

    Parameters
    ----------
    hu_kji : ndarray, shape (K, J, I)

    Returns
    -------
    ndarray of float32, in [-20, 90] HU
    """
    sigma = tuple(0.0 if n == 1 else sigma_mm / s for n, s in zip(hu_kji.shape, geometry.spacing_mm[::-1], strict=True))
    # The axis with the thickest voxels is the slice axis; smoothing across it would mix anatomy.
    thickest = int(np.argmax(geometry.spacing_mm[::-1]))
    if geometry.spacing_mm[::-1][thickest] > 2.0:
        sigma = tuple(0.0 if axis == thickest else s for axis, s in enumerate(sigma))
    window = np.clip(hu_kji, -20, 90).astype(np.float32)
    return ndimage.gaussian_filter(window, sigma, output=np.float32)


def brain_reference_hu(smoothed: np.ndarray, brain: np.ndarray) -> float:
    """Median CT number of what the network takes for brain, or the usual one when that is implausible."""
    values = smoothed[brain]
    if values.size < 1000:
        return USUAL_BRAIN_HU
    median = float(np.median(values))
    low, high = _PLAUSIBLE_BRAIN_HU
    return median if low <= median <= high else USUAL_BRAIN_HU


def hu_penalty(name: str, hu: np.ndarray, smoothed: np.ndarray, reference_hu: float) -> np.ndarray:
    """How much the CT speaks against a class, in units of log-probability.

    Parameters
    ----------
    name : str
        Class of the ``head`` schema.
    hu, smoothed : ndarray
        CT numbers and ``smoothed_brain_hu`` of the same voxels.
    reference_hu : float
        From ``brain_reference_hu``.

    Returns
    -------
    ndarray of float32, 0 to about 20
    """
    limits = HU_RANGES.get(name)
    penalty = limits.penalty(hu.astype(np.float32)) if limits else np.zeros(hu.shape, np.float32)
    border = reference_hu - _FLUID_BELOW_BRAIN_HU
    if name == "csf":
        penalty += np.clip((smoothed - (border + 3)) / 3, 0, 4)
    elif name in _BRAIN_CLASSES:
        penalty += np.clip(((border - 3) - smoothed) / 3, 0, 4)
    elif name == "vessels":
        # Blood in the sinuses lies some 20 HU above brain; without this, brain behind the skull became vessel.
        penalty += np.clip((reference_hu + _BLOOD_ABOVE_BRAIN_HU - smoothed) / 3, 0, 4)
    return penalty
