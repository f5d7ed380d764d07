"""Frechet distance of texture features, order of tissues, diversity: what each sees, and what not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics.fid import get_fid_score
from scipy import ndimage

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.evaluation.class_order import rank_correlation, swapped_classes
from MedUSISLib.evaluation.class_table import class_table
from MedUSISLib.evaluation.diversity import diversity
from MedUSISLib.evaluation.frechet import frechet_distance, shrunk_covariance
from MedUSISLib.evaluation.texture_features import texture_features


def test_the_distance_is_that_of_the_reference_implementation_where_samples_are_many() -> None:
    rng = np.random.default_rng(1)
    mixing = rng.standard_normal((5, 5))
    first = rng.standard_normal((20000, 5)) @ mixing
    second = rng.standard_normal((20000, 5)) * [1, 2, 0.5, 1, 1] + 0.3
    expected = float(get_fid_score(torch.from_numpy(first), torch.from_numpy(second)))
    assert frechet_distance(first, second) == pytest.approx(expected, rel=2e-3)
    assert frechet_distance(second, first) == pytest.approx(frechet_distance(first, second))


def test_few_samples_give_a_usable_covariance() -> None:
    rng = np.random.default_rng(2)
    truth = np.diag(np.linspace(0.5, 2, 20))
    samples = rng.multivariate_normal(np.zeros(20), truth, size=12)  # fewer than features: singular as it stands
    shrunk = shrunk_covariance(samples)
    assert np.linalg.matrix_rank(shrunk) == 20
    assert np.linalg.norm(shrunk - truth) < np.linalg.norm(np.cov(samples.T) - truth)


def test_sets_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError):
        frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))
    with pytest.raises(ValueError):
        frechet_distance(np.zeros((4, 2)), np.zeros((5, 3)))


@pytest.fixture
def slices() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    smooth = ndimage.gaussian_filter(rng.standard_normal((6, 128, 96)), (0, 6, 6)) * 6
    masks = np.zeros(smooth.shape, bool)
    masks[:, 16:112, 8:88] = True
    images = (0.5 + 0.2 * smooth + 0.05 * rng.standard_normal(smooth.shape)) * masks
    return images, masks


def test_blur_noise_checkerboard_and_brightness_all_move_the_texture_features(slices) -> None:
    images, masks = slices
    real = texture_features(images, masks)
    assert real.shape[1] == 10 and len(real) > 20
    scale = real.std(0)
    board = np.where(np.indices(images.shape[1:]).sum(0) % 2, 1.0, -1.0)
    rng = np.random.default_rng(4)
    floor = frechet_distance(real[::2] / scale, real[1::2] / scale)
    for changed in (
        ndimage.gaussian_filter(images, (0, 1, 1)),
        images + 0.05 * rng.standard_normal(images.shape),
        images + 0.05 * board,
        images * 0.6,
    ):
        distance = frechet_distance(texture_features(changed, masks) / scale, real / scale)
        assert distance > 3 * floor
    # other places of the same texture are no other texture
    assert frechet_distance(texture_features(images[:, ::-1, ::-1], masks) / scale, real / scale) < floor


def test_only_patches_in_the_body_count_and_sizes_need_not_fit(slices) -> None:
    images, masks = slices
    masks = masks.copy()
    masks[3:] = False
    assert len(texture_features(images, masks)) == len(texture_features(images[:3], masks[:3]))
    assert texture_features(images[:, :101, :77], masks[:, :101, :77]).shape[1] == 10
    assert texture_features(images[:, :20], masks[:, :20]).shape == (0, 10)


def made_tables(swap: bool):
    schema = load_schema("head")
    labels = np.repeat(np.array([0, 1, 4, 8, 9], np.uint8), 500)
    means = np.array([0, 0.9, 0.1, 0.5, 0.7])
    drawn = means[[0, 2, 1, 3, 4]] if swap else means + 0.05
    real, fake = (np.repeat(values, 500) for values in (means, drawn))
    return class_table(real, labels, schema), class_table(fake, labels, schema)


def test_a_swap_of_scalp_and_bone_is_named() -> None:
    real, fake = made_tables(swap=True)
    assert swapped_classes(real, fake)[0] == ("Skin and scalp surface", "Cortical bone")
    correlation = rank_correlation(real, fake)
    assert correlation is not None and correlation < 0


def test_a_shifted_but_ordered_image_has_no_swap() -> None:
    real, fake = made_tables(swap=False)
    assert swapped_classes(real, fake) == []
    assert rank_correlation(real, fake) == pytest.approx(1)


def test_diversity_tells_copies_from_blur() -> None:
    rng = np.random.default_rng(5)
    real = ndimage.gaussian_filter(rng.standard_normal((5, 32, 32)), (0, 2, 2))
    inside = np.ones(real.shape, bool)
    assert diversity(np.repeat(real[:1], 5, axis=0), real, inside) == pytest.approx(0, abs=1e-9)
    blurred = diversity(ndimage.gaussian_filter(real, (0, 1, 1)), real, inside)
    assert blurred is not None and 0.5 < blurred < 1
    assert diversity(real[:1], real[:1], inside[:1]) is None
