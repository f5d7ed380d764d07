"""The way to the generator's grid and back: landmarks stay where they are, the grid is the CT's."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imaging_phantom import LANDMARKS_MM, found_landmarks, geometry_about, phantom, rotation, world_points

from MedUSISLib.imaging.axis_operator import Interpolation
from MedUSISLib.imaging.conform import conform, restore
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.grid import GridSpec, plan_grid
from MedUSISLib.imaging.resampling import parallel_layout, resample, resampled_slabs
from MedUSISLib.imaging.volume import Volume

CENTRE = (12.0, -34.0, 56.0)
SPEC = GridSpec(spacing_mm=(1.5, 1.5, 1.5), size_ij=(64, 64))
FLIPS_AND_PERMUTATIONS = [
    pytest.param(p, s, id="".join("xyz"[a] for a in p) + "".join("+-"[v < 0] for v in s))
    for p, s in product(permutations(range(3)), product((1, -1), repeat=3))
]


def there_and_back(ct: Volume, spec: GridSpec = SPEC) -> tuple[Volume, Volume]:
    grid = plan_grid(ct.geometry, spec)
    on_grid = conform(ct, grid)
    return on_grid, restore(on_grid, ct.geometry, fill=-1000)


@pytest.mark.parametrize(("order", "signs"), FLIPS_AND_PERMUTATIONS)
def test_landmarks_stay_through_every_flip_and_permutation(order, signs):
    axes = np.zeros((3, 3))
    for column, (axis, sign) in enumerate(zip(order, signs, strict=True)):
        axes[axis, column] = sign
    size, spacing = np.array([50, 46, 22]), np.array([1.2, 1.3, 2.5])
    ct = phantom(geometry_about(CENTRE, size, spacing, axes))
    on_grid, back = there_and_back(ct)
    np.testing.assert_allclose(on_grid.geometry.axes, np.eye(3), atol=1e-12)
    for volume in (on_grid, back):
        error = np.abs(found_landmarks(volume) - LANDMARKS_MM).max()
        assert error < 0.5 * min(spacing), f"a landmark moved by {error:.2f} mm"
    assert back.geometry == ct.geometry
    assert back.geometry.same_grid(ct.geometry, 1e-9)


@pytest.mark.parametrize("angles", [(0.2, 0.0, 0.0), (0.15, -0.25, 0.4), (1.2, 0.7, -2.0)])
@pytest.mark.parametrize("spacing", [(0.8, 0.8, 5.0), (3.0, 1.0, 1.0), (2.0, 2.0, 2.0)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_oblique_ct_keeps_its_grid_and_its_landmarks(angles, spacing, mirrored):
    axes = rotation(angles) @ np.diag([1, 1, -1 if mirrored else 1])
    size = [round(56 / s) for s in spacing]
    ct = phantom(geometry_about(CENTRE, size, spacing, axes))
    on_grid, back = there_and_back(ct, GridSpec(spacing_mm=(1.0, 1.0, 1.0), size_ij=(80, 80)))
    before = found_landmarks(ct)
    error_voxels = np.abs((found_landmarks(back) - before) @ axes) / spacing
    assert error_voxels.max() < 0.5
    assert back.geometry is ct.geometry
    # No rotation: the grid's axes are the CT's, so slices stay the planes that were scanned.
    cosines = np.abs(on_grid.geometry.axes.T @ axes)
    np.testing.assert_allclose(np.sort(cosines, axis=0), [[0] * 3, [0] * 3, [1] * 3], atol=1e-9)


@pytest.mark.parametrize("thin_axis", [0, 1, 2])
def test_single_slice_survives_in_every_direction(thin_axis):
    size, spacing = [40, 44, 48], [1.0, 1.5, 0.8]
    size[thin_axis], spacing[thin_axis] = 1, 5.0
    geometry = geometry_about(CENTRE, size, spacing, rotation((0.1, 0.2, 0.3)))
    ct = phantom(geometry)
    for isotropic in (False, True):
        on_grid, back = there_and_back(ct, GridSpec((1.0, 1.0, 1.0), None, isotropic=isotropic))
        assert back.geometry is geometry
        assert back.array_kji.min() >= -1001
        # The middle ball is cut through its centre.
        assert np.abs(back.array_kji - ct.array_kji).max() < 400
        assert np.corrcoef(back.array_kji.ravel(), ct.array_kji.ravel())[0, 1] > 0.98


def geometries(max_size: int = 24):
    def build(size, spacing, angles, order, mirrored):
        axes = rotation(angles)[:, list(order)]
        if mirrored:
            axes[:, 0] *= -1
        return geometry_about(CENTRE, size, spacing, axes)

    angle = st.floats(-3.1, 3.1)
    return st.builds(
        build,
        st.tuples(*[st.integers(1, max_size)] * 3),
        st.tuples(*[st.floats(0.3, 6.0)] * 3),
        st.tuples(angle, angle, angle),
        st.permutations(range(3)),
        st.booleans(),
    )


specs = st.builds(
    GridSpec,
    spacing_mm=st.tuples(*[st.floats(0.7, 4.0)] * 3),
    size_ij=st.none(),
    slice_axis=st.sampled_from(["axial", "coronal", "sagittal"]),
    isotropic=st.booleans(),
)
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@few
@given(geometries(), specs)
def test_no_voxel_becomes_fill_when_the_grid_covers_the_ct(geometry, spec):
    ct = Volume(np.full(geometry.shape_kji, 7, np.int16), geometry)
    on_grid = conform(ct, plan_grid(geometry, spec), fill=7)
    back = restore(on_grid, geometry, fill=-9)
    np.testing.assert_allclose(back.array_kji, 7, atol=1e-4)
    labels = restore(conform(ct, on_grid.geometry, "nearest", fill=7), geometry, "nearest", fill=99)
    assert (labels.array_kji == 7).all()
    assert labels.array_kji.dtype == np.int16


@few
@given(geometries(20), st.tuples(*[st.floats(0.7, 4.0)] * 3))
def test_a_ramp_comes_back_within_half_a_voxel(geometry, spacing):
    """A value that grows linearly in space is a ruler: an error of position shows as an error of value."""
    grid = plan_grid(geometry, GridSpec(spacing, None, isotropic=True))
    for world_axis in range(3):
        ramp = Volume(world_points(geometry)[..., world_axis].astype(np.float32), geometry)
        back = restore(conform(ramp, grid), geometry)
        # Half a voxel of the coarser of both grids, and away from the border, where values continue constant.
        largest = np.maximum(
            np.abs(geometry.axes[world_axis]) * geometry.spacing_mm,
            np.abs(geometry.axes[world_axis]) * np.abs(geometry.axes.T @ grid.axes) @ np.asarray(grid.spacing_mm),
        )
        margin = [2 + int(3 * max(grid.spacing_mm) / s) for s in geometry.spacing_mm]
        inner = tuple(slice(m, n - m) for m, n in zip(margin[::-1], geometry.shape_kji, strict=True))
        difference = np.abs(back.array_kji - ramp.array_kji)[inner]
        assert difference.max(initial=0) <= 0.5 * largest.sum() + 1e-3


@few
@given(geometries(), geometries())
def test_parallel_and_general_resampling_agree(source, target):
    """The fast way for parallel axes and the general one must be the same operation."""
    from MedUSISLib.imaging import resampling

    aligned = geometry_about(CENTRE, target.size_ijk, target.spacing_mm, source.axes[:, [1, 2, 0]])
    assert parallel_layout(source, aligned) == (1, 2, 0)
    linear, nearest = Interpolation.LINEAR, Interpolation.NEAREST

    def both(array: np.ndarray, how: Interpolation) -> tuple[np.ndarray, np.ndarray]:
        volume = Volume(array, source)
        fast = resample(volume, aligned, how, fill=5, antialias=False).array_kji
        slow = [s for _, s in resampling._rotated_slabs(volume, aligned, how, 5, False, fast.dtype)]
        return fast, np.concatenate(slow)

    np.testing.assert_allclose(
        *both(np.random.default_rng(0).normal(size=source.shape_kji).astype(np.float32), linear), atol=2e-3
    )
    for index in np.indices(source.shape_kji):
        # A voxel exactly between two may go either way.
        fast, slow = both(index.astype(np.int16), nearest)
        assert np.abs(fast - slow).max() <= 1


def test_equal_spacing_copies_voxels_exactly():
    rng = np.random.default_rng(1)
    geometry = geometry_about(CENTRE, (30, 40, 12), (1.0, 1.0, 3.0), rotation((0.1, 0.2, -0.1)) @ np.diag([-1, -1, 1]))
    ct = Volume(rng.integers(-1000, 2000, geometry.shape_kji).astype(np.int16), geometry)
    mask = np.zeros(geometry.shape_kji, bool)
    mask[2:9, 5:30, 4:23] = True
    grid = plan_grid(geometry, GridSpec((1.0, 1.0, 1.0), (64, 64)), mask)
    back = restore(conform(ct, grid), geometry)
    assert np.array_equal(back.array_kji, ct.array_kji)


def test_restored_voxels_outside_the_grid_are_fill_and_only_those():
    geometry = geometry_about((0, 0, 0), (40, 40, 4), (1.0, 1.0, 2.0))
    grid = geometry_about((0, 0, 0), (16, 16, 4), (1.0, 1.0, 2.0))
    back = restore(Volume(np.ones(grid.shape_kji, np.float32), grid), geometry, fill=-5)
    expected = np.full(geometry.shape_kji, -5.0)
    expected[:, 12:28, 12:28] = 1
    assert np.array_equal(back.array_kji, expected)


def test_fine_detail_does_not_alias_into_the_coarse_grid():
    geometry = geometry_about((0, 0, 0), (128, 16, 4), (0.5, 0.5, 2.0))
    stripes = np.where(np.arange(128) % 2 == 0, 1000, -1000).astype(np.int16)
    ct = Volume(np.broadcast_to(stripes, geometry.shape_kji).copy(), geometry)
    coarse = conform(ct, geometry_about((0.3, 0, 0), (20, 4, 4), (2.0, 2.0, 2.0)))
    assert np.abs(coarse.array_kji[:, :, 2:-2]).max() < 50


def test_labels_are_never_mixed():
    geometry = geometry_about((0, 0, 0), (30, 30, 10), (0.7, 0.7, 2.0))
    labels = np.random.default_rng(0).choice(np.array([0, 3, 200], np.uint8), geometry.shape_kji)
    grid = plan_grid(geometry, GridSpec((1.1, 1.1, 1.1), None, isotropic=True))
    result = conform(Volume(labels, geometry), grid, "nearest")
    assert result.array_kji.dtype == np.uint8
    assert set(np.unique(result.array_kji)) <= {0, 3, 200}


def test_integer_results_are_rounded_and_clipped():
    geometry = geometry_about((0, 0, 0), (4, 4, 4), (1.0, 1.0, 1.0))
    volume = Volume(np.full(geometry.shape_kji, 300.6, np.float32), geometry)
    shifted = geometry_about((0.25, 0, 0), (4, 4, 4), (1.0, 1.0, 1.0))
    assert resample(volume, shifted, dtype=np.uint8).array_kji.max() == 255
    assert resample(volume, shifted, dtype=np.int16).array_kji[0, 0, 0] == 301


def test_outside_of_a_ct_is_air_and_outside_of_an_mr_is_zero():
    geometry = geometry_about((0, 0, 0), (4, 4, 4), (1.0, 1.0, 1.0))
    larger = geometry_about((0, 0, 0), (8, 8, 8), (1.0, 1.0, 1.0))
    for lowest, outside in ((-1000, -1024), (0, 0)):
        volume = Volume(np.full(geometry.shape_kji, lowest, np.int16), geometry)
        assert conform(volume, larger).array_kji[0, 0, 0] == outside


def test_slabs_come_in_order_and_make_the_whole():
    geometry = geometry_about((0, 0, 0), (10, 12, 9), (1.0, 1.0, 2.0))
    volume = Volume(np.random.default_rng(0).normal(size=geometry.shape_kji).astype(np.float32), geometry)
    for axes in (np.eye(3), rotation((0.3, 0.1, 0))):
        target = geometry_about((0, 0, 0), (11, 13, 17), (0.9, 0.9, 1.0), axes)
        whole = resample(volume, target).array_kji
        at = 0
        for first, slab in resampled_slabs(volume, target, Interpolation.LINEAR, 0.0, True, np.dtype(np.float32)):
            assert first == at
            assert np.array_equal(slab, whole[first : first + len(slab)])
            at += len(slab)
        assert at == 17


def test_a_slightly_rotated_header_still_counts_as_parallel_only_while_it_does_not_matter():
    source = Geometry((64, 64, 64))
    tiny, real = (Geometry((64, 64, 64), direction=tuple(rotation((a, 0, 0)).ravel())) for a in (1e-5, 1e-2))
    assert parallel_layout(source, tiny) == (0, 1, 2)
    assert parallel_layout(source, real) is None
