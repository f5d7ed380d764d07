"""The generator's grid in the CT: where it lies, how large it is, and what follows the body."""

from __future__ import annotations

import numpy as np
import pytest
from imaging_phantom import geometry_about, rotation

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.body import body_mask
from MedUSISLib.imaging.conform import conform
from MedUSISLib.imaging.crop import body_centre_lps, bounding_box, crop_or_pad, crop_to_box
from MedUSISLib.imaging.grid import GridSpec, lps_order, plan_grid
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.volume import Volume

CT = geometry_about((0, 0, 0), (512, 512, 60), (0.5, 0.5, 3.0))


def mask_of(geometry, i, j) -> np.ndarray:
    mask = np.zeros(geometry.shape_kji, bool)
    mask[:, j[0] : j[1], i[0] : i[1]] = True
    return mask


def test_spacing_is_the_generators_in_plane_and_the_cts_across_thick_slices():
    grid = plan_grid(CT, GridSpec())
    assert grid.spacing_mm == (1.0, 1.0, 3.0)
    assert grid.size_ijk == (256, 256, 60)
    thin = geometry_about((0, 0, 0), (64, 64, 100), (1.0, 1.0, 0.5))
    assert plan_grid(thin, GridSpec()).spacing_mm == (1.0, 1.0, 1.0)
    assert plan_grid(thin, GridSpec()).size_ijk == (256, 256, 50)
    assert plan_grid(CT, GridSpec(isotropic=True)).spacing_mm == (1.0, 1.0, 1.0)
    assert plan_grid(CT, GridSpec(isotropic=True)).size_ijk == (256, 256, 180)


def test_the_centre_follows_the_body():
    mask = mask_of(CT, (300, 500), (20, 300))
    grid = plan_grid(CT, GridSpec(), mask)
    centre = body_centre_lps(CT, mask)
    assert np.abs(grid.centre_lps - centre)[:2].max() <= 0.5
    assert grid.centre_lps[2] == pytest.approx(0.0)
    given = plan_grid(CT, GridSpec(), mask, center_lps=(40, -50, 999))
    np.testing.assert_allclose(given.centre_lps, (40, -50, 0), atol=0.51)


def test_a_body_larger_than_the_crop_makes_the_grid_grow():
    wide = geometry_about((0, 0, 0), (400, 400, 5), (1.0, 1.0, 3.0))
    grid = plan_grid(wide, GridSpec(), mask_of(wide, (10, 390), (100, 300)))
    assert grid.size_ijk == (384, 256, 5)
    grid = plan_grid(wide, GridSpec(), mask_of(wide, (0, 400), (100, 300)))
    assert grid.size_ijk == (448, 256, 5)


@pytest.mark.parametrize("extent", [200, 255, 256, 257, 319, 320])
@pytest.mark.parametrize("start", [3, 40, 41])
@pytest.mark.parametrize("spacing", [1.0, 0.7])
def test_the_whole_body_lies_in_the_grid(extent, start, spacing):
    ct = geometry_about((0, 0, 0), (400, 400, 3), (spacing, spacing, 3.0), np.diag([-1, 1, 1]))
    mask = mask_of(ct, (start, start + extent), (start, start + extent))
    grid = plan_grid(ct, GridSpec(), mask)
    corners = ct.index_to_lps([(start, start, 0), (start + extent - 1, start + extent - 1, 2)])
    index = grid.lps_to_index(corners)
    assert index.min() >= -0.5 - 1e-9
    assert (index <= np.asarray(grid.size_ijk) - 0.5 + 1e-9).all()


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("n", [40, 41])
def test_labels_on_a_coarser_grid_are_not_shifted(n, flipped):
    """At twice the spacing every sample could lie half way between two voxels, and rounding would move them all."""
    ct = geometry_about((0, 0, 0), (n, n, n), (1.0, 1.0, 1.0), np.diag([-1, -1, 1]) if flipped else None)
    grid = plan_grid(ct, GridSpec((2.0, 2.0, 2.0), None, isotropic=True))
    for axis in range(3):
        index = np.indices(ct.shape_kji)[2 - axis].astype(np.uint8)
        sampled = conform(Volume(index, ct), grid, "nearest").array_kji
        where = ct.lps_to_index(grid.index_to_lps([(a, a, a) for a in range(grid.size_ijk[0])]))[:, axis]
        found = np.array([sampled[a, a, a] for a in range(grid.size_ijk[0])])
        inside = (where >= 0) & (where <= n - 1)
        np.testing.assert_allclose(found[inside], where[inside], atol=1e-6)


def test_axes_are_the_cts_own_in_lps_order():
    axes = rotation((0.2, -0.1, 0.15))[:, [2, 0, 1]] @ np.diag([-1, 1, -1])
    ct = geometry_about((1, 2, 3), (20, 30, 40), (1.0, 2.0, 3.0), axes)
    assert lps_order(ct) == ((1, 2, 0), (1, -1, -1))
    grid = plan_grid(ct, GridSpec((1.0, 1.0, 1.0), None))
    np.testing.assert_allclose(grid.axes, rotation((0.2, -0.1, 0.15)), atol=1e-12)
    np.testing.assert_allclose(grid.centre_lps, ct.centre_lps, atol=1e-9)
    # Every voxel of the CT is covered.
    corners = ct.index_to_lps([(i, j, k) for i in (0, 19) for j in (0, 29) for k in (0, 39)])
    index = grid.lps_to_index(corners)
    assert index.min() >= -0.5 and (index <= np.asarray(grid.size_ijk) - 0.5).all()


def test_axes_at_45_degrees_are_still_three_different_ones():
    for angles in [(np.pi / 4,) * 3, (np.pi / 4, 0, np.pi / 4), (0.6155, np.pi / 4, 0)]:
        along, _ = lps_order(geometry_about((0, 0, 0), (4, 4, 4), (1, 1, 1), rotation(angles)))
        assert sorted(along) == [0, 1, 2]


@pytest.mark.parametrize(("slice_axis", "ijk"), [("sagittal", 0), ("coronal", 1), ("axial", 2)])
def test_the_slice_axis_keeps_lps_order_and_covers_the_ct(slice_axis, ijk):
    spec = GridSpec((1.0, 1.0, 1.0), (96, 80), slice_axis=slice_axis)
    ct = geometry_about((0, 0, 0), (60, 60, 60), (2.0, 2.0, 2.0))
    grid = plan_grid(ct, spec)
    assert spec.slice_axis_ijk == ijk and spec.slice_axis_kji == 2 - ijk
    assert grid.spacing_mm[ijk] == 2.0 and grid.size_ijk[ijk] == 60
    assert [grid.size_ijk[a] for a in spec.in_plane_ijk] == [96, 80]
    np.testing.assert_allclose(grid.axes, np.eye(3))


@pytest.mark.parametrize(
    "arguments", [{"slice_axis": "oblique"}, {"spacing_mm": (1.0, 0.0, 1.0)}, {"size_ij": (0, 256)}]
)
def test_impossible_specifications_are_named(arguments):
    with pytest.raises(MedUSISError) as caught:
        GridSpec(**arguments)
    assert caught.value.code is ErrorCode.BAD_SETTING


def test_crop_or_pad_follows_its_centre_over_the_edge():
    picture = np.arange(100).reshape(10, 10)
    window = crop_or_pad(picture, (4, 4), (5, 5))
    assert window.shape == (4, 4) and window[2, 2] == 55
    edge = crop_or_pad(picture, (4, 6), (0, 9), fill=-1)
    assert edge.shape == (4, 6)
    assert (edge[:2] == -1).all() and edge[2, 3] == 9
    assert (crop_or_pad(picture, (4, 4), (50, 50), fill=-1) == -1).all()
    assert crop_or_pad(picture, (256, 256), (4.5, 4.5)).sum() == picture.sum()


def test_bounding_box_and_crop_move_the_origin_along():
    geometry = geometry_about((0, 0, 0), (10, 12, 8), (1.0, 2.0, 3.0), rotation((0.1, 0.2, 0.3)))
    array = np.random.default_rng(0).normal(size=geometry.shape_kji)
    mask = np.zeros(geometry.shape_kji, bool)
    mask[2, 3:9, 5] = mask[6, 4, 7] = True
    box = bounding_box(mask)
    assert box == (slice(2, 7), slice(3, 9), slice(5, 8))
    part = crop_to_box(Volume(array, geometry), box)
    assert np.array_equal(part.array_kji, array[box])
    np.testing.assert_allclose(part.geometry.index_to_lps([(0, 0, 0)]), geometry.index_to_lps([(5, 3, 2)]))
    assert bounding_box(np.zeros((3, 3), bool)) is None


def test_a_real_head_fits_the_generators_crop(shared_data):
    ct = read_volume(shared_data / "ct_head" / "dicom2stl_head_ct.nii.gz")
    mask = body_mask(ct)
    grid = plan_grid(ct.geometry, GridSpec(), mask)
    assert grid.size_ijk == (256, 256, 95)
    assert grid.spacing_mm == (1.0, 1.0, 2.5)
    on_grid = conform(Volume(mask, ct.geometry), grid, "nearest")
    inside = bounding_box(on_grid.array_kji)
    assert inside is not None and inside[1].start > 0 and inside[1].stop < 256
    kept = np.count_nonzero(on_grid.array_kji) * grid.voxel_volume_mm3
    assert kept == pytest.approx(np.count_nonzero(mask) * ct.geometry.voxel_volume_mm3, rel=0.01)
