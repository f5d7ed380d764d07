"""A phantom known analytically: soft balls at landmarks in space, which any grid can sample."""

from __future__ import annotations

import numpy as np

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume

# Millimetres from the centre; no two coordinates alike, so that every swap and flip of axes shows.
LANDMARKS_MM = np.array([[0.0, 0.0, 0.0], [17.0, -6.0, 9.0], [-13.0, 11.0, -8.0], [8.0, 14.0, 5.0]])
WIDTH_MM = 3.0


def rotation(angles: tuple[float, float, float]) -> np.ndarray:
    """Rotation by three angles about x, y and z, in that order."""
    a, b, c = angles
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return z @ y @ x


def geometry_about(centre_lps, size_ijk, spacing_mm, axes=None) -> Geometry:
    """A grid with a given middle."""
    axes = np.eye(3) if axes is None else np.asarray(axes, dtype=float)
    half = (np.asarray(size_ijk) - 1) / 2 * np.asarray(spacing_mm)
    origin = np.asarray(centre_lps, dtype=float) - axes @ half
    return Geometry(tuple(size_ijk), tuple(spacing_mm), tuple(origin), tuple(axes.ravel()))


def world_points(geometry: Geometry) -> np.ndarray:
    """LPS position of every voxel, shape (k, j, i, 3)."""
    k, j, i = np.indices(geometry.shape_kji)
    points = np.stack([i, j, k], axis=-1).reshape(-1, 3)
    return geometry.index_to_lps(points).reshape(*geometry.shape_kji, 3)


def phantom(geometry: Geometry, centre_lps=(12.0, -34.0, 56.0)) -> Volume:
    """Balls of value 1000 on air (-1000) at the landmarks about a centre."""
    points = world_points(geometry) - np.asarray(centre_lps)
    value = np.full(geometry.shape_kji, -1000.0)
    for landmark in LANDMARKS_MM:
        value += 2000 * np.exp(-((points - landmark) ** 2).sum(-1) / (2 * WIDTH_MM**2))
    return Volume(value.astype(np.float32), geometry)


def found_landmarks(volume: Volume, centre_lps=(12.0, -34.0, 56.0)) -> np.ndarray:
    """Where the balls are in a volume: centres of mass near each landmark, LPS relative to the centre."""
    points = world_points(volume.geometry) - np.asarray(centre_lps)
    weight = np.clip(volume.array_kji + 1000.0, 0, None)
    found = []
    for landmark in LANDMARKS_MM:
        near = weight * (((points - landmark) ** 2).sum(-1) < (2.2 * WIDTH_MM) ** 2)
        found.append((points * near[..., None]).sum((0, 1, 2)) / near.sum())
    return np.array(found)
