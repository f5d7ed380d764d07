"""SSIM, PSNR and MAE: the data range is the intensity's, not the dtype's."""

from __future__ import annotations

import numpy as np
import pytest

from MedUSISLib.evaluation.image_similarity import image_similarity


def _pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((3, 32, 32)), rng.random((3, 32, 32))


def test_an_image_is_identical_to_itself() -> None:
    image, _ = _pair()
    result = image_similarity(image, image)
    assert result.ssim == pytest.approx(1) and result.mae == 0 and result.psnr_db is None


def test_two_noise_images_are_not_alike() -> None:
    """The published mistake: with a data range of 255 these get an SSIM above 0.999."""
    assert image_similarity(*_pair()).ssim < 0.1
    assert image_similarity(*_pair(), data_range=255).ssim > 0.99


def test_psnr_and_mae_of_a_constant_offset() -> None:
    image, _ = _pair()
    result = image_similarity(image + 0.1, image)
    assert result.mae == pytest.approx(0.1)
    assert result.psnr_db == pytest.approx(20)


def test_a_mask_keeps_the_empty_frame_out() -> None:
    image, _ = _pair()
    other = image.copy()
    mask = np.zeros(image.shape, bool)
    mask[:, 12:20, 12:20] = True
    other[mask] += 0.2
    assert image_similarity(other, image, mask).mae == pytest.approx(0.2)
    assert image_similarity(other, image).mae < 0.02


def test_slices_smaller_than_the_window_have_no_ssim() -> None:
    image = np.random.default_rng(0).random((2, 8, 8))
    assert image_similarity(image, image * 0.9).ssim is None


def test_bad_input_is_refused() -> None:
    image, other = _pair()
    with pytest.raises(ValueError, match="same shape"):
        image_similarity(image, other[1:])
    with pytest.raises(ValueError, match="empty"):
        image_similarity(image, other, np.zeros(image.shape, bool))
    with pytest.raises(ValueError, match="positive"):
        image_similarity(image, other, data_range=0)
