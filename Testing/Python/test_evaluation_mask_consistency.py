"""The mask extractor of section 3.1.5 and the 0/1/2/3 map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.evaluation import mask_consistency as module
from MedUSISLib.evaluation.mask_consistency import (
    AGREE,
    OUTSIDE,
    TISSUE_MISSING,
    TISSUE_TOO_MUCH,
    ExtractorSettings,
    consistency_map,
    extract_mask,
    label_tissue,
    mask_consistency,
    summarise_consistency,
    tissue_threshold,
)

HEAD = load_schema("head")
MASKS = hnp.arrays(bool, (2, 3, 4))


def _disc(radius: float, size: int = 64, centre: tuple[float, float] = (32, 32)) -> np.ndarray:
    y, x = np.ogrid[:size, :size]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


@given(MASKS, MASKS)
def test_the_map_tells_both_masks_back(labels: np.ndarray, mr: np.ndarray) -> None:
    result = consistency_map(labels, mr)
    assert np.array_equal(np.isin(result, (AGREE, TISSUE_MISSING)), labels)
    assert np.array_equal(np.isin(result, (AGREE, TISSUE_TOO_MUCH)), mr)
    assert np.array_equal(result == OUTSIDE, ~labels & ~mr)


def test_a_dark_skull_inside_the_head_is_filled() -> None:
    head = _disc(25) * 0.5
    head[_disc(21)] = 0.0
    head[_disc(17)] = 0.7
    mask = extract_mask(head, 0.15)
    assert mask[_disc(24)].all()
    assert not mask[~_disc(28)].any()


def test_a_dark_skull_under_a_gap_of_the_scalp_is_still_inside() -> None:
    head = _disc(25) * 0.5
    head[_disc(22)] = 0.0
    head[_disc(18)] = 0.7
    head[30:34, 50:] = 0.0
    assert extract_mask(head, 0.15)[_disc(20)].all()
    leaking = ExtractorSettings(closing_mm=0.0)
    assert not extract_mask(head, 0.15, settings=leaking)[_disc(20)].all()


def test_specks_of_noise_and_thin_threads_are_opened_away() -> None:
    image = _disc(20) * 0.6
    image[5, 5] = 1.0
    image[32, 50:64] = 0.6
    mask = extract_mask(image, 0.15, settings=ExtractorSettings(blur_mm=0.3))
    assert not mask[5, 5]
    assert not mask[32, 60]


def test_an_empty_slice_stays_empty_because_the_threshold_is_fixed() -> None:
    noise = np.abs(np.random.default_rng(0).normal(0, 0.02, (64, 64)))
    assert not extract_mask(noise, tissue_threshold(0.0, 1.2)).any()


def test_a_body_cut_by_the_frame_is_not_eroded_there() -> None:
    image = np.zeros((40, 40))
    image[:, 10:30] = 1
    assert extract_mask(image, 0.5)[0, 15] and extract_mask(image, 0.5)[-1, 25]


def test_sizes_are_in_mm() -> None:
    speck = np.zeros((60, 60))
    speck[28:32, 28:32] = 1
    none = ExtractorSettings(blur_mm=0.01, minimum_area_mm2=0.0, closing_mm=0.0)
    assert not extract_mask(speck, 0.5, (0.5, 0.5), none).any()  # 2 mm wide
    assert extract_mask(speck, 0.5, (3.0, 3.0), none).any()  # 12 mm wide


def test_cavities_are_not_tissue_but_closed_ones_are_filled() -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[_disc(25)] = HEAD.index_of("soft_tissue")
    labels[_disc(6)] = HEAD.index_of("air")
    assert not label_tissue(labels, HEAD)[32, 32]
    assert extract_mask(label_tissue(labels, HEAD), 0.5)[32, 32]


def test_a_perfect_mr_agrees_and_a_cut_one_misses_tissue() -> None:
    labels = np.zeros((3, 64, 64), np.uint8)
    labels[:, _disc(22)] = HEAD.index_of("soft_tissue")
    mr = (labels > 0) * 0.3
    good = mask_consistency(mr, labels, HEAD, 0.15)
    assert good.dice > 0.99 and good.missing_fraction == 0
    mr[1, :, :32] = 0
    cut = mask_consistency(mr, labels, HEAD, 0.15)
    assert cut.slice_dice[0] > 0.99 > 0.75 > cut.slice_dice[1]
    assert cut.missing_fraction == pytest.approx(1 / 6, abs=0.02)
    assert cut.excess_fraction < 0.01


@pytest.mark.parametrize("at_once", [1, 3 * 40 * 31, 10**6])
def test_slices_that_are_looked_at_together_are_as_one_by_one(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    noise = ndimage.gaussian_filter(rng.normal(size=(7, 40, 31)), (0, 3, 3))
    mr, labels = noise.astype(np.float32), (np.roll(noise, 2, 1) > 0).astype(np.uint8) * HEAD.index_of("soft_tissue")
    mr[2], labels[3] = -1, 0
    monkeypatch.setattr(module, "_PIXELS_AT_ONCE", at_once)
    found = mask_consistency(mr, labels, HEAD, 0.05, (3.0, 0.7, 1.3)).map
    for k, plane in enumerate(found):
        masks = extract_mask(labels[k] > 0, 0.5, (0.7, 1.3)), extract_mask(mr[k], 0.05, (0.7, 1.3))
        assert np.array_equal(plane, consistency_map(*masks)) and (masks[0].any() or k == 3)


def test_nothing_at_all_has_no_dice() -> None:
    summary = summarise_consistency(np.zeros((2, 3, 3), np.uint8))
    assert summary.dice is None and summary.missing_fraction == 0 and summary.slice_dice == (None, None)
