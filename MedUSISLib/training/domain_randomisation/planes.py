"""Random, slightly tilted and deformed axial slices through a label map: the geometry half of an invented image."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def random_rotation(tilt_deg: float, turn_deg: float, rng: torch.Generator) -> torch.Tensor:
    """Rotation matrix (3, 3) in (x, y, z) with random tilts about x and y and a random turn about z.

    Parameters
    ----------
    tilt_deg, turn_deg : float
        Largest angles in degrees.
    """
    limits = torch.tensor([tilt_deg, tilt_deg * 0.7, turn_deg]) * torch.pi / 180
    a, b, c = ((torch.rand(3, generator=rng) * 2 - 1) * limits).tolist()
    ca, sa, cb, sb, cc, sc = (f(torch.tensor(v)) for v in (a, b, c) for f in (torch.cos, torch.sin))
    one, nil = torch.tensor(1.0), torch.tensor(0.0)
    rx = torch.stack([one, nil, nil, nil, ca, -sa, nil, sa, ca]).view(3, 3)
    ry = torch.stack([cb, nil, sb, nil, one, nil, -sb, nil, cb]).view(3, 3)
    rz = torch.stack([cc, -sc, nil, sc, cc, nil, nil, nil, one]).view(3, 3)
    return rz @ ry @ rx


def random_plane(
    centre_xyz: torch.Tensor, size: int, rng: torch.Generator, *, tilt_deg: float = 15, turn_deg: float = 15
) -> torch.Tensor:
    """Points of one slice, as voxel coordinates of a 1 mm volume.

    Parameters
    ----------
    centre_xyz : Tensor, shape (3,)
        Where the middle of the slice lies, in voxels (x, y, z).
    size : int
        Pixels along each side, 1 mm each.

    Returns
    -------
    Tensor, shape (size, size, 3)
        (x, y, z) of each pixel; rows run to the back, columns to the left.
    """
    scale = 1 + (torch.rand(3, generator=rng) * 2 - 1) * 0.12
    axis = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    flat = torch.stack([columns, rows, torch.zeros_like(rows)], -1) * scale
    points = flat @ random_rotation(tilt_deg, turn_deg, rng).T + centre_xyz
    amplitude = float(torch.rand((), generator=rng)) * 4.0
    for nodes, share in ((4, 1.0), (9, 0.5)):
        coarse = torch.randn(1, 3, nodes, nodes, generator=rng) * amplitude * share
        points = points + F.interpolate(coarse, (size, size), mode="bicubic", align_corners=True)[0].permute(1, 2, 0)
    if torch.rand((), generator=rng) < 0.5:
        points = points.flip(1)
    return points


def sample_nearest(volume_kji: torch.Tensor, points_xyz: torch.Tensor) -> torch.Tensor:
    """Values of the nearest voxels; 0 outside the volume.

    Parameters
    ----------
    volume_kji : Tensor, shape (K, J, I)
    points_xyz : Tensor, shape (..., 3)

    Returns
    -------
    Tensor, shape (...)
    """
    depth, height, width = volume_kji.shape
    x, y, z = points_xyz.round().long().unbind(-1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (z >= 0) & (z < depth)
    index = (z.clamp(0, depth - 1) * height + y.clamp(0, height - 1)) * width + x.clamp(0, width - 1)
    return torch.where(inside, volume_kji.reshape(-1)[index], torch.zeros((), dtype=volume_kji.dtype))
