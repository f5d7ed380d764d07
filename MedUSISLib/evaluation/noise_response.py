"""What the noise still does: how images of the same labels differ when only the noise vector differs.

An L1 loss teaches a generator to ignore its noise. Good noise changes the texture and leaves every class's mean alone;
these numbers tell the three cases (ignored, texture, contrast changed) apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from MedUSISLib.evaluation.class_table import class_table

if TYPE_CHECKING:
    from MedUSISLib.anatomy.schema import LabelSchema

_VISIBLE = 0.01
"""A standard deviation of 1 % of the intensity range is about the least that one sees in a flat region."""


@dataclass(frozen=True)
class NoiseResponse:
    """How images react to the noise.

    Attributes
    ----------
    spread : float
        Mean over voxels of the standard deviation over noise samples, in intensity units.
    relative_spread : float
        The same over the intensity range.
    texture_share : float or None
        Part of that variance that is finer than about four voxels (what a Gaussian of sigma 2 removes): near 1 the
        noise is texture, near 0 it shifts whole regions.
    texture_ratio : float or None
        Standard deviation over samples over the standard deviation of the images' own fine texture: 1 means that
        samples are as different from each other as their texture is strong.
    largest_class_shift : float or None
        Largest standard deviation, over samples, of any class's mean, in intensity units; ``shifted_class`` names it.
    visible : bool
        ``relative_spread`` is at least 1 %.
    """

    samples: int
    spread: float
    relative_spread: float
    texture_share: float | None
    texture_ratio: float | None
    largest_class_shift: float | None
    shifted_class: str | None
    visible: bool

    def as_dict(self) -> dict[str, object]:
        """Plain numbers, for JSON."""
        return asdict(self)


def noise_response(
    images: Sequence[np.ndarray],
    mask: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    schema: LabelSchema | None = None,
    intensity_range: float = 1.0,
    minimum_voxels: int = 50,
) -> NoiseResponse:
    """Compare images made from the same labels with different noise.

    Parameters
    ----------
    images : sequence of ndarray [H, W] or [k, j, i]
        At least two, same shape. Fine texture is looked for within slices (the last two axes).
    mask : ndarray of bool, optional
        The body; recommended, the empty frame never changes.
    labels, schema : optional, together
        Class indices and their schema, for ``largest_class_shift``.
    intensity_range : float
        Largest minus smallest possible intensity (head T1: 1.2).
    minimum_voxels : int
        Smaller classes are left out of the class shift.

    Returns
    -------
    NoiseResponse
    """
    stack = np.stack([np.asarray(image, np.float32) for image in images])
    if len(stack) < 2:
        raise ValueError("at least two images with different noise are needed")
    inside = np.ones(stack.shape[1:], bool) if mask is None else np.asarray(mask, bool)
    if not inside.any():
        raise ValueError("the mask is empty")
    sigma = (0.0,) * (stack.ndim - 2) + (2.0, 2.0)
    fine = stack - ndimage.gaussian_filter(stack, sigma)
    variance = float(stack.var(axis=0, ddof=1)[inside].mean())
    fine_variance = float(fine.var(axis=0, ddof=1)[inside].mean())
    texture = float(np.std([image[inside] for image in fine]))
    spread = float(stack.std(axis=0, ddof=1)[inside].mean())
    shift, shifted = None, None
    if labels is not None and schema is not None:
        tables = [class_table(image, labels, schema) for image in stack]
        shifts = {
            rows[0].name: float(np.std([row.mean for row in rows if row.mean is not None], ddof=1))
            for rows in zip(*tables, strict=True)
            if rows[0].count >= minimum_voxels and rows[0].name != "background"
        }
        if shifts:
            shifted = max(shifts, key=lambda name: shifts[name])
            shift = shifts[shifted]
    return NoiseResponse(
        samples=len(stack),
        spread=spread,
        relative_spread=spread / intensity_range,
        texture_share=min(fine_variance / variance, 1.0) if variance > 0 else None,
        texture_ratio=float(np.sqrt(variance)) / texture if texture > 0 else None,
        largest_class_shift=shift,
        shifted_class=shifted,
        visible=spread / intensity_range >= _VISIBLE,
    )
