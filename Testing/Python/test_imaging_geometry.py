"""Geometry: positions, comparison, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from imaging_phantom import geometry_about, rotation

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume, from_sitk, to_sitk

OBLIQUE = geometry_about((5, -7, 11), (11, 7, 3), (0.7, 0.9, 4.0), rotation((0.3, -0.2, 0.5)))


def test_positions_go_there_and_back():
    points = np.random.default_rng(0).uniform(-5, 12, (20, 3))
    np.testing.assert_allclose(OBLIQUE.lps_to_index(OBLIQUE.index_to_lps(points)), points, atol=1e-10)
    np.testing.assert_allclose(OBLIQUE.centre_lps, (5, -7, 11), atol=1e-12)


def test_positions_are_those_of_simpleitk():
    image = to_sitk(Volume(np.zeros(OBLIQUE.shape_kji, np.float32), OBLIQUE))
    for index in [(0, 0, 0), (10, 6, 2), (3, 5, 1)]:
        np.testing.assert_allclose(OBLIQUE.index_to_lps([index])[0], image.TransformIndexToPhysicalPoint(index))
    assert from_sitk(image).geometry == OBLIQUE


def test_ras_affine_goes_there_and_back():
    assert Geometry.from_affine_ras(OBLIQUE.affine_ras, OBLIQUE.size_ijk).same_grid(OBLIQUE, 1e-9)


def test_same_grid_looks_at_the_far_corner():
    turned = geometry_about(OBLIQUE.centre_lps, OBLIQUE.size_ijk, OBLIQUE.spacing_mm, rotation((0.3, -0.2, 0.51)))
    assert not OBLIQUE.same_grid(turned)
    assert OBLIQUE.same_grid(turned, tolerance_voxel=0.2)
    assert not OBLIQUE.same_grid(Geometry((11, 7, 4), OBLIQUE.spacing_mm, OBLIQUE.origin_lps_mm, OBLIQUE.direction))


def test_same_grid_sees_the_normal_of_a_single_slice():
    up = Geometry((5, 5, 1))
    down = Geometry((5, 5, 1), direction=(1, 0, 0, 0, 1, 0, 0, 0, -1))
    assert not up.same_grid(down)


@pytest.mark.parametrize(
    "arguments",
    [
        {"size_ijk": (0, 4, 4)},
        {"size_ijk": (4, 4, 4), "spacing_mm": (1.0, 0.0, 1.0)},
        {"size_ijk": (4, 4, 4), "spacing_mm": (1.0, -1.0, 1.0)},
        {"size_ijk": (4, 4, 4), "spacing_mm": (1.0, float("nan"), 1.0)},
        {"size_ijk": (4, 4, 4), "origin_lps_mm": (float("inf"), 0.0, 0.0)},
        {"size_ijk": (4, 4, 4), "direction": (0.0,) * 9},
        {"size_ijk": (4, 4, 4), "direction": (1, 0, 0, 0, 1, 0, 0, 0.3, 1)},
        {"size_ijk": (4, 4, 4), "direction": (1, 1, 0, 0, 0, 0, 0, 0, 1)},
        {"size_ijk": (4, 4, 4), "direction": (1, 0, 0, 1)},
    ],
)
def test_impossible_geometry_is_refused(arguments):
    with pytest.raises(MedUSISError) as caught:
        Geometry(**arguments)
    assert caught.value.code is ErrorCode.GEOMETRY_MISMATCH


def test_voxels_must_fit_their_grid():
    with pytest.raises(MedUSISError) as caught:
        Volume(np.zeros((3, 4, 5)), Geometry((3, 4, 5)))
    assert caught.value.code is ErrorCode.GEOMETRY_MISMATCH
