"""Radiological orientation: a landmark appears on the same side of the picture whatever the array's axes are."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.synthesis.report_views import body_box, centre_of, letters, planes


def _signed_permutations() -> list[tuple[float, ...]]:
    matrices = []
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        matrix = np.zeros((3, 3))
        for column, (row, sign) in enumerate(zip(order, signs, strict=True)):
            matrix[row, column] = sign
        matrices.append(tuple(matrix.ravel()))
    return matrices


@given(st.sampled_from(_signed_permutations()))
@settings(max_examples=48, deadline=None)
def test_right_is_left_anterior_and_superior_are_up_for_every_axis_order(direction: tuple[float, ...]) -> None:
    geometry = Geometry((5, 6, 7), (1.0, 2.0, 3.0), direction=direction)
    axial, coronal, sagittal = planes(geometry)
    assert (axial.left, axial.right, axial.top, axial.bottom) == ("R", "L", "A", "P")
    assert (coronal.left, coronal.right, coronal.top, coronal.bottom) == ("R", "L", "S", "I")
    assert (sagittal.left, sagittal.right, sagittal.top, sagittal.bottom) == ("A", "P", "S", "I")
    kji = np.moveaxis(np.indices(geometry.shape_kji), 0, -1)
    world = geometry.index_to_lps(kji[..., ::-1].reshape(-1, 3)).reshape(*geometry.shape_kji, 3)
    for plane, across, down, sign in ((axial, 0, 1, 1), (coronal, 0, 2, -1), (sagittal, 1, 2, -1)):
        picture_across, picture_down = (plane.cut(world[..., n], 2) for n in (across, down))
        assert (np.diff(picture_across, axis=1) > 0).all()  # towards L, or P
        assert (sign * np.diff(picture_down, axis=0) > 0).all()  # towards P, or I
        pixel = abs(np.diff(picture_down, axis=0)[0, 0]), abs(np.diff(picture_across, axis=1)[0, 0])
        assert pixel == pytest.approx(plane.pixel_mm)


def test_an_oblique_volume_gets_two_letters() -> None:
    geometry = Geometry((5, 6, 7), direction=(0.8, 0.6, 0, -0.6, 0.8, 0, 0, 0, 1.0))
    axial = planes(geometry)[0]
    assert axial.left == "RP" and axial.top == "AR"
    assert letters(np.array([0.0, 0.1, 0.99])) == "S"


def test_the_crop_holds_the_body_and_its_margin() -> None:
    mask = np.zeros((20, 30, 40), bool)
    mask[5:8, 10:12, 39] = True
    box = body_box(mask, Geometry((40, 30, 20), (1.0, 2.0, 4.0)), margin_mm=8)
    assert box == (slice(3, 10), slice(6, 16), slice(31, 40))
    assert body_box(mask & False, Geometry((40, 30, 20))) == (slice(0, 20), slice(0, 30), slice(0, 40))


def test_the_centre_is_the_median_of_the_wanted_classes() -> None:
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[2:7, 4, 5] = 9
    wanted = np.zeros(256, bool)
    assert centre_of(labels, wanted) is None
    wanted[9] = True
    assert centre_of(labels, wanted) == (4, 4, 5)
