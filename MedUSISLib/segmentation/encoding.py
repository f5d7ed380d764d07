"""What `head-seg` sees: two intensity windows and how far below the vertex a slice lies."""

from __future__ import annotations

import numpy as np
import torch

#: Channels of the encoded slice: two intensity windows, depth below the vertex, and whether that depth is known.
CHANNELS = 4
WIDE_WINDOW_HU = (-1000.0, 1000.0)
BRAIN_WINDOW_HU = (-10.0, 80.0)
#: Where white matter of a T1 lies in the invented training images, the brightest 0.5 % of the slice being 1.
WHITE_MATTER_LEVEL = 0.68


def _window(values: torch.Tensor, window: tuple[float, float]) -> torch.Tensor:
    low, high = window
    return (values.clamp(low, high) - low) * (2 / (high - low)) - 1


def encode_ct(
    slices_hu: torch.Tensor,
    *,
    wide: tuple[float, float] = WIDE_WINDOW_HU,
    brain: tuple[float, float] = BRAIN_WINDOW_HU,
) -> torch.Tensor:
    """Two windows of CT slices: everything from air to bone, and the few HU that divide brain tissue.

    Parameters
    ----------
    slices_hu : Tensor, shape (B, H, W)

    Returns
    -------
    Tensor, shape (B, 2, H, W), in [-1, 1]
    """
    return torch.stack([_window(slices_hu, wide), _window(slices_hu, brain)], 1)


def encode_mr(slices: torch.Tensor) -> torch.Tensor:
    """MR slices, scaled so that the 99.5th percentile of the head is 1, in both channels.

    Parameters
    ----------
    slices : Tensor, shape (B, H, W), in [0, about 1.3]

    Returns
    -------
    Tensor, shape (B, 2, H, W), in [-1, 1.6]
    """
    scaled = slices.clamp(0, 1.3) * 2 - 1
    return torch.stack([scaled, scaled], 1)


def with_depth(windows: torch.Tensor, depth_mm: torch.Tensor) -> torch.Tensor:
    """Add the depth below the vertex; NaN where the vertex is not in the field of view.

    Parameters
    ----------
    windows : Tensor, shape (B, 2, H, W)
    depth_mm : Tensor, shape (B,)

    Returns
    -------
    Tensor, shape (B, 4, H, W)
    """
    known = ~torch.isnan(depth_mm)
    depth = torch.where(known, (depth_mm.nan_to_num() - 90) / 90, torch.zeros(()))
    extra = torch.stack([depth, known.to(depth)], 1)[..., None, None]
    return torch.cat([windows, extra.expand(-1, -1, *windows.shape[2:]).to(windows)], 1)


def mr_scale(values: np.ndarray) -> float:
    """The 99.5th percentile of what stands out of the background, by which an MR volume is divided.

    Parameters
    ----------
    values : ndarray
        A whole volume, not one slice: scaling slice by slice makes stripes.
    """
    sample = values.reshape(-1)[:: max(1, values.size // 1_000_000)].astype(np.float32)
    foreground = sample[sample > 0.1 * np.percentile(sample, 99)]
    return float(np.percentile(foreground, 99.5)) if foreground.size else 1.0
