"""The measures on a real T1: what they were calibrated with, so that nobody moves a limit below reality."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from MedUSISLib.evaluation.spectrum import checkerboard_index, high_frequency_ratio
from MedUSISLib.evaluation.stripe_index import slice_flicker, stripe_index
from MedUSISLib.synthesis.quality_guide import FLICKER, STRIPES, Level, stripe_limit


@pytest.fixture(scope="module")
def brain(shared_data: Path) -> tuple[np.ndarray, np.ndarray]:
    """T1 on the white-matter = 0.7 scale and FreeSurfer labels, 60 slices of the middle of a head at 1 mm."""
    nibabel = pytest.importorskip("nibabel")
    folder = shared_data / "mr_head_t1"
    part = np.s_[80:140, 60:180, 60:180]
    image, labels = (np.asarray(nibabel.load(folder / f"mne_ecog_{n}.nii.gz").dataobj)[part] for n in ("t1", "aseg"))
    white = np.median(image[np.isin(labels, (2, 41))])
    return np.clip(image / white * 0.7, 0, 1.2).astype(np.float32), labels.astype(np.int16)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_real_brain_has_no_stripes(brain: tuple[np.ndarray, np.ndarray], axis: int) -> None:
    image, labels = brain
    assert STRIPES.level(stripe_index(image, labels > 0, labels, axis)) == Level.OK
    assert FLICKER.level(slice_flicker(image, labels > 0, labels, axis)) == Level.OK


def test_thick_slices_of_a_real_brain_are_not_flagged_as_stripes(brain: tuple[np.ndarray, np.ndarray]) -> None:
    image, labels = (array[::5] for array in brain)
    index, flicker = (f(image, labels > 0, labels) for f in (stripe_index, slice_flicker))
    assert STRIPES.level(index, stripe_limit(STRIPES, 5.0)) == Level.OK
    assert FLICKER.level(flicker, stripe_limit(FLICKER, 5.0)) == Level.OK


def test_visible_stripes_in_a_real_brain_are_flagged(brain: tuple[np.ndarray, np.ndarray]) -> None:
    image, labels = brain
    striped = image + 0.02 * np.random.default_rng(0).normal(size=(len(image), 1, 1)).astype(np.float32)
    assert FLICKER.level(slice_flicker(striped, labels > 0, labels)) == Level.LOOK


def test_real_slices_have_no_checkerboard_and_a_synthetic_one_is_found(brain: tuple[np.ndarray, np.ndarray]) -> None:
    image, labels = brain
    slices = image[::10]
    assert checkerboard_index(slices) < 2
    board = (np.indices(slices.shape[1:]).sum(axis=0) % 2 - 0.5) * 0.02
    assert checkerboard_index(slices + board) > 3


def test_neighbouring_real_slices_have_the_same_spectrum(brain: tuple[np.ndarray, np.ndarray]) -> None:
    image, labels = brain
    mask = labels > 0
    ratio = high_frequency_ratio(image[20:40:4], image[22:42:4], mask[20:40:4], mask[22:42:4])
    assert 0.8 < ratio < 1.25
