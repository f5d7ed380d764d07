"""The patient without what he lies on."""

from __future__ import annotations

import numpy as np
import pytest
from imaging_phantom import rotation

from MedUSISLib.imaging import body as body_module
from MedUSISLib.imaging.body import body_mask, remove_artifacts, remove_couch
from MedUSISLib.imaging.crop import bounding_box
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.volume import Volume


def trunk_on_a_couch(spacing=1.0, gap=6, outside=-1000) -> tuple[Volume, np.ndarray]:
    """An ellipse with lungs, above a hollow couch of two thin shells; returns the true body as well."""
    k, j, i = np.indices((30, 160, 200))
    body = ((j - 60) / 42.0) ** 2 + ((i - 100) / 70.0) ** 2 <= 1
    lungs = (((j - 60) / 18.0) ** 2 + ((abs(i - 100) - 32) / 18.0) ** 2 <= 1) & body
    hu = np.where(body, 40, outside)
    hu[lungs] = -850
    top = 103 + gap
    couch = (i > 20) & (i < 180) & (((j >= top) & (j < top + 3)) | ((j >= top + 27) & (j < top + 30)))
    couch |= (j >= top) & (j < top + 30) & (((i > 20) & (i < 23)) | ((i > 177) & (i < 180)))
    hu[couch] = 150
    return Volume(hu.astype(np.int16), Geometry(hu.shape[::-1], (spacing,) * 3)), body


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.mark.parametrize("gap", [6, 2, 0])
@pytest.mark.parametrize("spacing", [0.8, 1.0, 2.0])
def test_the_couch_is_not_body_even_when_it_touches(gap, spacing):
    ct, body = trunk_on_a_couch(spacing, gap)
    mask = body_mask(ct)
    assert dice(mask, body) > 0.98
    assert not mask[:, 109 + gap :].any()


def test_lungs_belong_to_the_body():
    ct, body = trunk_on_a_couch()
    assert body_mask(ct)[:, 60, 68].all()
    assert np.count_nonzero(body_mask(ct)[body]) > 0.99 * np.count_nonzero(body)


def test_a_zero_outside_is_not_body():
    ct, body = trunk_on_a_couch(outside=0)
    assert dice(body_mask(ct), body) > 0.98


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_the_body_is_the_same_in_every_orientation(order):
    ct, body = trunk_on_a_couch()
    axes = ct.geometry.axes[:, [2 - a for a in order][::-1]]
    array = ct.array_kji.transpose(order)
    turned = Volume(array, Geometry(array.shape[::-1], (1, 1, 1), (0, 0, 0), tuple(axes.ravel())))
    assert dice(body_mask(turned), body.transpose(order)) > 0.98


@pytest.mark.parametrize("spacing", [0.8, 1.4])
def test_the_air_around_and_how_many_planes_are_filled_together_change_nothing(spacing, monkeypatch):
    ct, _ = trunk_on_a_couch(spacing, gap=0)
    array = ct.array_kji[4:]
    array[:5, 40:60, 8:60] = 40  # an arm, in some of the planes
    expected = body_mask(Volume(array, Geometry(array.shape[::-1], (spacing,) * 3)))
    around = ((0, 0), (12, 4), (8, 20))  # whole steps of the coarse grid
    wide = np.pad(array, around, constant_values=-1000)
    monkeypatch.setattr(body_module, "_VOXELS_AT_ONCE", 1)
    found = body_mask(Volume(wide, Geometry(wide.shape[::-1], (spacing,) * 3)))
    assert np.array_equal(found, np.pad(expected, around))


def test_arms_beside_the_trunk_are_kept_and_a_phial_is_not():
    ct, body = trunk_on_a_couch()
    k, j, i = np.indices(ct.array_kji.shape)
    arm = (j - 60) ** 2 + (i - 184) ** 2 < 13**2
    phial = (j - 12) ** 2 + (i - 12) ** 2 < 5**2
    ct.array_kji[arm | phial] = 60
    mask = body_mask(ct)
    assert dice(mask, body | arm) > 0.98
    assert not mask[phial].any()


def test_an_empty_ct_has_no_body_and_one_slice_has_one():
    ct, body = trunk_on_a_couch()
    assert not body_mask(ct.with_array(np.full_like(ct.array_kji, -1000))).any()
    one = Volume(ct.array_kji[:1], Geometry((200, 160, 1), (1, 1, 5)))
    assert dice(body_mask(one), body[:1]) > 0.97


def test_a_tilted_ct_is_treated_like_a_straight_one():
    ct, body = trunk_on_a_couch()
    tilted = Volume(ct.array_kji, Geometry((200, 160, 30), direction=tuple(rotation((0.3, 0.1, 0.1)).ravel())))
    assert np.array_equal(body_mask(tilted), body_mask(ct))


def test_remove_couch_leaves_the_body_as_measured():
    ct, body = trunk_on_a_couch()
    clean = remove_couch(ct)
    assert np.array_equal(clean.array_kji[body], ct.array_kji[body])
    assert clean.array_kji[:, 112:].max() == -1024
    assert clean.array_kji.dtype == np.int16
    assert ct.array_kji[:, 112:].max() == 150


def test_visible_human_loses_its_couch(shared_data):
    ct = read_volume(shared_data / "ct_head" / "visiblehuman_f_head_ct.nii.gz")
    mask = body_mask(ct)
    box = bounding_box(mask)
    assert box is not None
    # The couch lies at j = 100..135 (the file's second axis runs to anterior), the head between 143 and 376.
    assert 138 <= box[1].start <= 150 and 365 <= box[1].stop <= 385
    assert ct.array_kji[:, 80:130].max() > 0
    clean = remove_couch(ct, mask=mask)
    assert clean.array_kji[:, :135].max() == -1024
    # The head at eye level: filled, one piece, of a head's size.
    area_cm2 = np.count_nonzero(mask[150]) / 100
    assert 200 < area_cm2 < 400


def test_thesis_artifact_removal_acts_as_written():
    """Threshold 45, 4-connected, regions under 1000 pixels dropped, product with the mask (section 3.2.1)."""
    picture = np.zeros((100, 100), np.uint8)
    picture[10:50, 10:50] = 100  # 1600 pixels
    picture[20:25, 20:25] = 45  # not above the threshold: a hole, as in the thesis
    picture[60:85, 60:100] = 46  # exactly 1000 pixels
    picture[90:95, 0:50] = 200  # 250 pixels
    picture[50:70, 50:60] = 0
    kept = remove_artifacts(picture)
    assert kept[12, 12] == 100 and kept[22, 22] == 0
    assert kept[70, 70] == 46
    assert not kept[90:95].any()
    volume = np.stack([picture, np.zeros_like(picture)])
    assert np.array_equal(remove_artifacts(volume)[0], kept)


def test_thesis_artifact_removal_counts_edges_not_corners():
    picture = np.zeros((60, 60), np.uint8)
    picture[:25, :25] = picture[25:50, 25:50] = 99  # 625 pixels each, meeting at a corner
    assert not remove_artifacts(picture).any()
    picture[24, 25] = 99
    assert remove_artifacts(picture).any()
