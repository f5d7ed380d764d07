"""Random pictures for a slice of tissue indices: CT-like, T1-like, or any contrast at all."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from MedUSISLib.training.domain_randomisation.tissues import FAT_HU, FAT_T1, TISSUE_INDEX, TISSUES

_OUTSIDE, _AIR, _OTHER = TISSUE_INDEX["outside"], TISSUE_INDEX["air"], TISSUE_INDEX["other_soft"]


def _uniform(low: float, high: float, rng: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=rng))


def smooth_field(size: int, nodes: int, rng: torch.Generator) -> torch.Tensor:
    """A random field (size, size) of zero mean and about unit spread that varies over ``size / nodes`` pixels."""
    coarse = torch.randn(1, 1, nodes, nodes, generator=rng)
    return F.interpolate(coarse, (size, size), mode="bicubic", align_corners=True)[0, 0]


def blurred(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian blur of a (H, W) image, ``sigma`` in pixels."""
    if sigma < 0.2:
        return image
    radius = max(1, int(3 * sigma + 0.5))
    x = torch.arange(-radius, radius + 1, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (x / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(image[None, None], (radius,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))[0, 0]


def _fat(tissues: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Which part of "other tissue" is fat here: a smooth random share between none and most of it."""
    size = tissues.shape[-1]
    field = smooth_field(size, 12, rng) + 0.7 * smooth_field(size, 36, rng)
    return (tissues == _OTHER) & (field > _uniform(-1.0, 1.2, rng))


def _coarse_resolution(image: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """The blur of a thick or coarse acquisition: averaging to a coarser raster and back."""
    factor = _uniform(1.0, 3.0, rng)
    if factor < 1.3:
        return image
    size = image.shape[-1]
    small = F.interpolate(image[None, None], (int(size / factor),) * 2, mode="bilinear", antialias=True)
    return F.interpolate(small, (size, size), mode="bilinear")[0, 0]


def ct_image(tissues: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """A CT-like slice in HU.

    Parameters
    ----------
    tissues : Tensor of uint8, shape (H, W)
        Index into ``TISSUES``.

    Returns
    -------
    Tensor of float32, shape (H, W), clipped to [-1024, 3000]
    """
    size = tissues.shape[-1]
    means = torch.tensor([_uniform(*t.hu, rng) for t in TISSUES])
    # Between people the grey-white difference is a few HU while both drift together with beam hardening.
    means[11:20] += _uniform(-4, 4, rng)
    spread = torch.tensor([t.texture_hu for t in TISSUES])
    index = tissues.long()
    texture = blurred(torch.randn(size, size, generator=rng), _uniform(0.6, 2.0, rng))
    texture = texture / texture.std().clamp(min=1e-3)
    image = means[index] + texture * spread[index]
    image = torch.where(_fat(tissues, rng), _uniform(*FAT_HU, rng) + 8 * texture, image)
    if torch.rand((), generator=rng) < 0.5:
        image = _with_couch(image, tissues, rng)
    image = blurred(image, _uniform(0.3, 1.1, rng))
    if torch.rand((), generator=rng) < 0.3:
        image = _coarse_resolution(image, rng)
    image = image + smooth_field(size, 4, rng) * _uniform(0, 4, rng)
    noise = blurred(torch.randn(size, size, generator=rng), _uniform(0.3, 1.2, rng))
    image = image + noise / noise.std() * _uniform(1, 14, rng)
    return image.clamp(-1024, 3000)


def _with_couch(image: torch.Tensor, tissues: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """A head rest: a bright arc behind the head, sometimes with a foam filling."""
    size = image.shape[-1]
    rows = torch.arange(size).view(-1, 1).float()
    columns = torch.arange(size).view(1, -1).float() - size / 2
    head = torch.nonzero((tissues > 0).any(1))
    bottom = float(head.max()) if len(head) else size * 0.8
    arc = bottom + _uniform(2, 14, rng) - (columns / _uniform(60, 140, rng)) ** 2 * _uniform(0, 60, rng)
    shell = (rows - arc).abs() < _uniform(0.6, 3, rng)
    foam = (rows > arc) & (rows < arc + _uniform(0, 30, rng))
    outside = tissues == _OUTSIDE
    image = torch.where(foam & outside, torch.tensor(_uniform(-950, -700, rng)), image)
    return torch.where(shell & outside, torch.tensor(_uniform(-300, 400, rng)), image)


def mr_image(tissues: torch.Tensor, rng: torch.Generator, *, t1: bool) -> torch.Tensor:
    """An MR-like slice, white matter near 0.7 when ``t1``, any contrast otherwise.

    Returns
    -------
    Tensor of float32, shape (H, W), not negative
    """
    size = tissues.shape[-1]
    if t1:
        prior = torch.tensor([t.t1 for t in TISSUES])
        means = prior[:, 0] + prior[:, 1] * 1.5 * torch.randn(len(TISSUES), generator=rng)
        contrast = _uniform(0.6, 1.25, rng)
        means[8:20] = 0.7 + (means[8:20] - 0.7) * contrast
        fat = FAT_T1[0] + FAT_T1[1] * float(torch.randn((), generator=rng))
    else:
        means = torch.rand(len(TISSUES), generator=rng) * 0.9 + 0.05
        fat = _uniform(0.05, 1.1, rng)
        means[_OUTSIDE] = 0.02
        means[_AIR] = _uniform(0, 0.1, rng)
    means = means.clamp(min=0.0)
    texture = blurred(torch.randn(size, size, generator=rng), _uniform(0.5, 2.5, rng))
    texture = texture / texture.std().clamp(min=1e-3)
    index = tissues.long()
    relative = torch.full((len(TISSUES),), 0.06)
    relative[[2, 3, 4, 7, 21]] = 0.25
    image = means[index] * (1 + relative[index] * texture)
    image = torch.where(_fat(tissues, rng), fat * (1 + 0.1 * texture), image)
    image = blurred(image, _uniform(0.3, 1.2, rng))
    if torch.rand((), generator=rng) < 0.3:
        image = _coarse_resolution(image, rng)
    image = image * torch.exp(smooth_field(size, 3, rng) * _uniform(0, 0.3, rng))
    noise = torch.randn(2, size, size, generator=rng) * _uniform(0.005, 0.06, rng)
    image = torch.sqrt((image + noise[0]) ** 2 + noise[1] ** 2)  # Rician, as a magnitude image is
    top = torch.quantile(image.reshape(-1)[:: max(1, size * size // 10000)], 0.995).clamp(min=1e-3)
    return (image / top).clamp(0, 1.3) ** _uniform(0.75, 1.3, rng)
