"""The MR lies exactly where the CT lies, whatever the CT's axes, spacing and size."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from painter import Painter, intensity_of_class, synthesize_in_memory
from tiny_generator import tiny_bundle

from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume

EYES = 13
SOFT = 3
LANDMARKS_MM = np.array([[12.0, 4.0, -6.0], [-9.0, 13.0, 5.0], [3.0, -14.0, 9.0]])
LANDMARK_RADIUS_MM = 4.5
FLIPS = list(product((1, -1), repeat=3))
ORDERS = list(permutations(range(3)))


@pytest.fixture
def painter_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A bundle whose network draws every class with its own intensity."""
    monkeypatch.setattr(Bundle, "load_network", lambda self, device="cpu": Painter())
    return tiny_bundle(tmp_path / "tiny", dropout=0.0, noise=0, views=("axial", "coronal", "sagittal"))


def axes_matrix(order: tuple[int, ...], signs: tuple[int, ...]) -> np.ndarray:
    """Direction matrix whose columns are signed, reordered unit vectors."""
    matrix = np.zeros((3, 3))
    for column, (row, sign) in enumerate(zip(order, signs, strict=True)):
        matrix[row, column] = sign
    return matrix


def rotation(degrees_about_x: float, degrees_about_z: float) -> np.ndarray:
    a, b = np.radians([degrees_about_x, degrees_about_z])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return about_x @ about_z


def centred(size: tuple[int, int, int], spacing: tuple[float, float, float], axes: np.ndarray) -> Geometry:
    """A grid whose middle is at (20, -30, 40) LPS."""
    half = axes @ ((np.array(size) - 1) / 2 * np.array(spacing))
    origin = np.array([20.0, -30.0, 40.0]) - half
    return Geometry(size, spacing, tuple(origin), tuple(axes.ravel()))


def landmark_phantom(geometry: Geometry) -> tuple[Volume, Volume]:
    """A soft ball of 26 mm with three small balls of another class in it."""
    k, j, i = np.indices(geometry.shape_kji)
    points = geometry.index_to_lps(np.stack([i.ravel(), j.ravel(), k.ravel()], axis=1)) - [20.0, -30.0, 40.0]
    hu = np.full(points.shape[0], -1000, np.int16)
    labels = np.zeros(points.shape[0], np.uint8)
    inside = np.linalg.norm(points, axis=1) <= 26
    hu[inside], labels[inside] = 80, SOFT
    for landmark in LANDMARKS_MM:
        labels[np.linalg.norm(points - landmark, axis=1) <= LANDMARK_RADIUS_MM] = EYES
    shape = geometry.shape_kji
    return Volume(hu.reshape(shape), geometry), Volume(labels.reshape(shape), geometry)


def landmark_errors_voxel(mr: Volume) -> np.ndarray:
    """Distance of the bright balls' centres of mass from where they belong, in voxels along each axis."""
    errors = []
    bright = np.clip(mr.array_kji - intensity_of_class(SOFT), 0, None)
    k, j, i = np.indices(bright.shape)
    indices = np.stack([i.ravel(), j.ravel(), k.ravel()], axis=1)
    points = mr.geometry.index_to_lps(indices) - [20.0, -30.0, 40.0]
    for landmark in LANDMARKS_MM:
        near = np.linalg.norm(points - landmark, axis=1) < LANDMARK_RADIUS_MM + 3
        weight = bright.ravel() * near
        centre = (indices * weight[:, None]).sum(axis=0) / weight.sum()
        errors.append(centre - mr.geometry.lps_to_index([landmark + [20.0, -30.0, 40.0]])[0])
    return np.abs(errors)


def check(bundle: Bundle, geometry: Geometry, **settings: object) -> None:
    ct, segmentation = landmark_phantom(geometry)
    result = synthesize_in_memory(ct, segmentation, bundle, **settings)
    for volume in (result.mr, result.uncertainty, result.mask_consistency, result.labels):
        assert volume.geometry == geometry
        assert volume.array_kji.shape == geometry.shape_kji
    assert landmark_errors_voxel(result.mr).max() < 0.5
    given = segmentation.array_kji != 0
    np.testing.assert_array_equal(result.labels.array_kji[given], segmentation.array_kji[given])


@pytest.mark.parametrize("signs", FLIPS)
def test_landmarks_survive_every_axis_flip(painter_bundle: Bundle, signs: tuple[int, ...]) -> None:
    check(painter_bundle, centred((60, 58, 56), (1.0, 1.0, 1.0), axes_matrix((0, 1, 2), signs)))


@pytest.mark.parametrize("order", ORDERS)
def test_landmarks_survive_every_order_of_axes(painter_bundle: Bundle, order: tuple[int, ...]) -> None:
    check(painter_bundle, centred((60, 58, 56), (1.0, 1.0, 1.0), axes_matrix(order, (1, -1, 1))))


@pytest.mark.parametrize("mode", ["slice", "three-view", "window"])
def test_oblique_ct_keeps_its_grid(painter_bundle: Bundle, mode: str) -> None:
    axes = rotation(17, -11) @ axes_matrix((1, 0, 2), (1, -1, 1))
    check(painter_bundle, centred((60, 56, 58), (1.0, 1.0, 1.0), axes), mode=mode)


@pytest.mark.parametrize(
    ("size", "spacing"),
    [
        ((110, 110, 60), (0.53, 0.53, 1.0)),
        ((120, 118, 24), (0.5, 0.5, 2.5)),
        ((40, 41, 30), (1.5, 1.45, 2.0)),
        ((60, 60, 116), (1.0, 1.0, 0.5)),
        ((56, 24, 60), (1.0, 2.5, 1.0)),
    ],
)
def test_anisotropic_spacing_keeps_landmarks(
    painter_bundle: Bundle, size: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    check(painter_bundle, centred(size, spacing, axes_matrix((0, 1, 2), (-1, 1, -1))))


@pytest.mark.parametrize("mode", ["slice", "three-view", "window"])
def test_single_slice_works(painter_bundle: Bundle, mode: str) -> None:
    ct, segmentation = landmark_phantom(centred((60, 58, 1), (1.0, 1.0, 5.0), np.eye(3)))
    result = synthesize_in_memory(ct, segmentation, painter_bundle, mode=mode)
    assert result.mr.geometry == ct.geometry
    expected = 1.2 * segmentation.array_kji / 15
    assert np.median(np.abs(result.mr.array_kji - expected)) < 1e-5


def test_same_grid_comes_back_exactly(painter_bundle: Bundle) -> None:
    """A CT on the generator's own spacing is not blurred anywhere: each voxel has the intensity of its label."""
    ct, segmentation = landmark_phantom(centred((60, 58, 9), (1.0, 1.0, 3.0), axes_matrix((1, 0, 2), (-1, 1, -1))))
    result = synthesize_in_memory(ct, segmentation, painter_bundle)
    np.testing.assert_allclose(result.mr.array_kji, 1.2 * segmentation.array_kji / 15, atol=1e-5)


def test_segmentation_in_another_grid_is_resampled_and_reported(painter_bundle: Bundle) -> None:
    ct, _ = landmark_phantom(centred((60, 58, 56), (1.0, 1.0, 1.0), rotation(5, 5)))
    _, segmentation = landmark_phantom(centred((80, 80, 70), (0.8, 0.8, 0.8), rotation(-9, 12)))
    result = synthesize_in_memory(ct, segmentation, painter_bundle)
    assert result.mr.geometry == ct.geometry
    assert result.statistics["segmentation_was_resampled"] is True
    assert "SEGMENTATION_RESAMPLED" in {warning.code for warning in result.warnings}
    assert landmark_errors_voxel(result.mr).max() < 0.5


def test_ct_smaller_than_the_head_is_no_skin_at_its_border(painter_bundle: Bundle) -> None:
    """Where the field of view cuts the head, the cut is not taken for the body's surface."""
    geometry = centred((24, 24, 24), (1.0, 1.0, 1.0), np.eye(3))
    ct, segmentation = landmark_phantom(geometry)
    ct.array_kji[:, :, :2] = -1000
    segmentation.array_kji[10:14, 10:14, :] = 0
    result = synthesize_in_memory(ct, segmentation, painter_bundle)
    skin = 1
    filled = result.labels.array_kji[10:14, 10:14, :]
    assert (filled[:, :, -1] == SOFT).all()
    assert (filled[:, :, 2] == skin).all()
