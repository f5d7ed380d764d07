"""Segmentations in other grids, and segmentations that say too little."""

from __future__ import annotations

import numpy as np
import pytest
from imaging_phantom import geometry_about, rotation

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.coverage import align_labels, require_coverage, segmentation_coverage
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume

CT = geometry_about((5, 6, 7), (40, 36, 20), (1.0, 1.0, 2.0), rotation((0.1, 0.0, 0.2)))


def ball(geometry: Geometry, radius: float = 12.0) -> Volume:
    k, j, i = np.indices(geometry.shape_kji)
    points = geometry.index_to_lps(np.stack([i, j, k], -1).reshape(-1, 3)) - (5, 6, 7)
    distance = np.linalg.norm(points, axis=1).reshape(geometry.shape_kji)
    return Volume(np.where(distance < radius / 2, 3, np.where(distance < radius, 1, 0)).astype(np.uint8), geometry)


def test_the_same_grid_is_passed_on_and_takes_the_cts_geometry():
    rounded = Geometry(CT.size_ijk, CT.spacing_mm, tuple(np.round(CT.origin_lps_mm, 3)), CT.direction)
    seg = ball(rounded)
    aligned, was_resampled = align_labels(seg, CT)
    assert not was_resampled
    assert aligned.array_kji is seg.array_kji
    assert aligned.geometry is CT


@pytest.mark.parametrize(
    "other",
    [
        geometry_about((5, 6, 7), (60, 60, 60), (0.8, 0.8, 0.8)),
        geometry_about((8, 4, 7), (30, 34, 30), (1.5, 1.5, 1.5), rotation((0.5, -0.4, 1.0)) @ np.diag([1, -1, 1])),
        Geometry(CT.size_ijk[::-1], CT.spacing_mm[::-1], CT.origin_lps_mm, tuple(CT.axes[:, ::-1].ravel())),
    ],
    ids=["finer", "oblique", "permuted"],
)
def test_another_grid_is_resampled_to_the_same_place(other):
    aligned, was_resampled = align_labels(ball(other), CT)
    assert was_resampled
    assert aligned.geometry is CT
    expected = ball(CT)
    for label in (1, 3):
        a, b = aligned.array_kji == label, expected.array_kji == label
        assert 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)) > 0.85
    assert aligned.array_kji.dtype == np.uint8


def test_empty_and_distant_segmentations_are_named():
    empty = Volume(np.zeros(CT.shape_kji, np.uint8), CT)
    far = geometry_about((900, 6, 7), CT.size_ijk, CT.spacing_mm)
    for seg in (empty, Volume(np.ones(CT.shape_kji, np.uint8), far)):
        with pytest.raises(MedUSISError) as caught:
            align_labels(seg, CT)
        assert caught.value.code is ErrorCode.EMPTY_SEGMENTATION


def test_coverage_is_the_labelled_part_of_the_body():
    body = np.zeros((4, 10, 10), bool)
    body[:, 2:8, 2:8] = True
    labels = np.zeros(body.shape, np.uint8)
    labels[:, 2:5, 2:8] = 9
    labels[:, 0] = 4  # outside the body does not count
    assert segmentation_coverage(labels, body) == pytest.approx(0.5)
    assert require_coverage(labels, body) == pytest.approx(0.5)
    assert segmentation_coverage(labels, np.zeros_like(body)) == 0
    labels[:] = 0
    labels[0, 4, 4] = 1
    with pytest.raises(MedUSISError) as caught:
        require_coverage(labels, body)
    assert caught.value.code is ErrorCode.EMPTY_SEGMENTATION
