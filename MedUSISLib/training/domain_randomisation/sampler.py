"""Batches of invented slices with their labels, for training a segmentator without any image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from MedUSISLib.segmentation.encoding import BRAIN_WINDOW_HU, WIDE_WINDOW_HU, encode_ct, encode_mr, with_depth
from MedUSISLib.training.domain_randomisation.appearance import ct_image, mr_image
from MedUSISLib.training.domain_randomisation.planes import random_plane, sample_nearest
from MedUSISLib.training.domain_randomisation.tissues import TISSUE_INDEX, TISSUES
from MedUSISLib.training.domain_randomisation.volumes import HeadLabels


class SliceSampler:
    """Draws batches of (encoded picture, class indices).

    Parameters
    ----------
    heads : sequence of HeadLabels
    class_of : callable or dict
        Class index for each ``head_class`` name.
    size : int
        Pixels of 1 mm along each side of a slice.
    ct_share, t1_share : float
        Share of CT-like and T1-like pictures; the rest gets any contrast.
    seed : int
    """

    def __init__(
        self,
        heads: Sequence[HeadLabels],
        class_of: dict[str, int],
        *,
        size: int = 256,
        ct_share: float = 0.45,
        t1_share: float = 0.35,
        seed: int = 0,
    ) -> None:
        self.volumes = [torch.from_numpy(head.tissues_kji) for head in heads]
        self.vertices = [head.vertex_k for head in heads]
        self.centres = [_centre_curve(head.tissues_kji) for head in heads]
        self.class_lookup = torch.tensor([class_of[t.head_class] for t in TISSUES], dtype=torch.uint8)
        self.size, self.ct_share, self.t1_share = size, ct_share, t1_share
        self.rng = torch.Generator().manual_seed(seed)

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.rng))

    def sample(self) -> tuple[torch.Tensor, torch.Tensor]:
        """One encoded slice (4, H, W) and its class indices (H, W)."""
        which = int(torch.randint(len(self.volumes), (), generator=self.rng))
        volume, vertex = self.volumes[which], self.vertices[which]
        k = self._uniform(max(4, vertex - 185), vertex + 2)
        curve = self.centres[which][int(min(max(k, 0), len(self.centres[which]) - 1))]
        centre = torch.tensor([curve[0], curve[1], k]) + torch.randn(3, generator=self.rng) * torch.tensor([8.0, 8, 0])
        points = random_plane(centre, self.size, self.rng)
        tissues = sample_nearest(volume, points)
        tissues = self._with_missing_parts(tissues)
        kind = float(torch.rand((), generator=self.rng))
        if kind < self.ct_share:
            jitter = [self._uniform(-1, 1) for _ in range(4)]
            wide = (WIDE_WINDOW_HU[0], WIDE_WINDOW_HU[1] + 100 * jitter[0])
            brain = (BRAIN_WINDOW_HU[0] + 4 * jitter[1], BRAIN_WINDOW_HU[1] + 6 * jitter[2])
            windows = encode_ct(ct_image(tissues, self.rng)[None], wide=wide, brain=brain)
        else:
            picture = mr_image(tissues, self.rng, t1=kind < self.ct_share + self.t1_share)
            windows = encode_mr(picture[None] * self._uniform(0.75, 1.2))
        unknown = torch.rand((), generator=self.rng) < 0.25
        depth = float("nan") if unknown else (vertex - k) * self._uniform(0.93, 1.07) + self._uniform(-8, 8)
        encoded = with_depth(windows, torch.tensor([depth]))[0]
        return encoded, self.class_lookup[tissues.long()]

    def _with_missing_parts(self, tissues: torch.Tensor) -> torch.Tensor:
        """A cropped field of view or a face cut off for privacy; what is gone becomes background."""
        draw = float(torch.rand((), generator=self.rng))
        if draw > 0.25:
            return tissues
        axis = torch.arange(self.size).float() - self.size / 2
        rows, columns = torch.meshgrid(axis, axis, indexing="ij")
        if draw < 0.13:  # the front, cut by a plane
            angle = self._uniform(-0.35, 0.35)
            gone = rows * np.cos(angle) + columns * np.sin(angle) < -self._uniform(45, 110)
        else:  # one side of the picture
            gone = (rows if draw < 0.19 else columns) * (1 if self._uniform(0, 1) < 0.5 else -1) > self._uniform(
                55, 110
            )
        return torch.where(gone, torch.zeros((), dtype=tissues.dtype), tissues)

    def batch(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """``count`` slices: float32 (B, 4, H, W) and int64 (B, H, W)."""
        pictures, labels = zip(*(self.sample() for _ in range(count)), strict=True)
        return torch.stack(pictures), torch.stack(labels).long()


def _centre_curve(tissues: np.ndarray) -> np.ndarray:
    """Middle (x, y) of the head in every slice; slices without head take the whole head's middle."""
    head = tissues > TISSUE_INDEX["outside"]
    columns, rows = np.arange(tissues.shape[2]), np.arange(tissues.shape[1])
    area = head.sum(axis=(1, 2)).astype(float)
    x = (head.sum(axis=1) * columns).sum(1)
    y = (head.sum(axis=2) * rows).sum(1)
    whole = np.array([x.sum(), y.sum()]) / area.sum()
    empty = area < 50
    curve = np.stack([x, y], 1) / np.maximum(area, 1)[:, None]
    curve[empty] = whole
    return curve
