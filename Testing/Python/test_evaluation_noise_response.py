"""Noise that is ignored, that makes texture, and that changes the contrast are three different things."""

from __future__ import annotations

import numpy as np
import pytest

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.evaluation.noise_response import noise_response

HEAD = load_schema("head")
LABELS = np.full((4, 48, 48), HEAD.index_of("white_matter"), np.uint8)


def _texture(seed: int) -> np.ndarray:
    return 0.7 + 0.05 * np.random.default_rng(seed).normal(size=LABELS.shape)


def test_ignored_noise_is_not_visible() -> None:
    image = _texture(0)
    response = noise_response([image, image + 1e-6], labels=LABELS, schema=HEAD, intensity_range=1.2)
    assert not response.visible and response.spread < 1e-5


def test_texture_changes_the_picture_and_leaves_the_means() -> None:
    response = noise_response([_texture(s) for s in range(4)], labels=LABELS, schema=HEAD, intensity_range=1.2)
    assert response.visible and response.texture_share > 0.8
    assert response.texture_ratio == pytest.approx(1, abs=0.15)
    assert response.largest_class_shift < 0.005


def test_a_change_of_contrast_is_named_by_its_class() -> None:
    response = noise_response([np.full(LABELS.shape, v) for v in (0.5, 0.7, 0.9)], labels=LABELS, schema=HEAD)
    assert response.texture_share < 0.05
    assert response.shifted_class == "white_matter"
    assert response.largest_class_shift == pytest.approx(0.2, abs=1e-3)


def test_one_image_or_an_empty_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        noise_response([_texture(0)])
    with pytest.raises(ValueError, match="empty"):
        noise_response([_texture(0), _texture(1)], np.zeros(LABELS.shape, bool))
