"""A T1 given as CT is refused; every real CT is accepted, whatever surrounds the body."""

from __future__ import annotations

import numpy as np
import pytest

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.modality import check_is_ct, clean_ct, looks_like_ct, zero_exterior
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.volume import Volume

SHAPE = (40, 64, 64)


def radius() -> np.ndarray:
    k, j, i = np.indices(SHAPE)
    return np.hypot((j - 32) / 1.0, (i - 32) / 0.9)


def head_ct(outside: float = -1000.0) -> np.ndarray:
    """Air, scalp fat, skull, brain with a ventricle, and noise."""
    rng = np.random.default_rng(0)
    r = radius()
    hu = np.select([r < 5, r < 20, r < 23, r < 26], [8.0, 35.0, 900.0, -90.0], outside)
    hu = hu + rng.normal(0, 8, SHAPE) * (r < 26)
    return np.rint(hu).astype(np.int16)


def head_t1() -> np.ndarray:
    rng = np.random.default_rng(0)
    r = radius()
    t1 = np.select([r < 5, r < 14, r < 20, r < 23, r < 26], [60.0, 400.0, 280.0, 30.0, 550.0], 4.0)
    return np.abs(t1 + rng.normal(0, 8, SHAPE)).astype(np.float32)


def as_volume(array: np.ndarray, **meta) -> Volume:
    return Volume(array, Geometry(array.shape[::-1]), meta)


def refusal(array: np.ndarray, *words: str, **meta) -> None:
    with pytest.raises(MedUSISError) as caught:
        check_is_ct(as_volume(array, **meta))
    assert caught.value.code is ErrorCode.NOT_A_CT
    for word in words:
        assert word in caught.value.message
    assert not looks_like_ct(as_volume(array, **meta))


@pytest.mark.parametrize("outside", [-1000.0, -1024.0, -2000.0, -3024.0, 0.0])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_head_ct_is_accepted_whatever_is_outside(outside, dtype):
    check_is_ct(as_volume(head_ct(outside).astype(dtype)))


def test_a_piece_inside_the_head_without_air_is_accepted():
    r = radius()
    hu = np.where(r > 26, -90, head_ct())
    check_is_ct(as_volume(hu.astype(np.int16)))


def test_a_single_slice_is_accepted():
    check_is_ct(as_volume(head_ct()[20:21]))


@pytest.mark.parametrize("scale", [0.002, 0.25, 1.0, 10.0])
def test_a_t1_is_refused_on_every_scale(scale):
    refusal(head_t1() * scale, "neither air nor fat")


def test_a_t1_around_zero_is_refused():
    t1 = head_t1()
    refusal((t1 - t1.mean()) / t1.std())
    refusal((t1 - t1.mean()).astype(np.float32) * 5)
    refusal(t1 / t1.max() * 2 - 1)


def test_stored_values_without_intercept_are_named_so():
    refusal(head_ct().clip(-1024, None) + 1024, "stored values", "1024")


def test_a_window_of_grey_values_is_refused():
    picture = np.clip((head_ct().astype(float) + 160) / 400 * 255, 0, 255).astype(np.int16)
    refusal(picture, "8-bit")


@pytest.mark.parametrize("lower", [-100, -160, -250])
def test_a_ct_clipped_to_a_soft_tissue_window_is_refused(lower):
    refusal(head_ct().clip(lower, 300), "clipped", str(lower))


def test_constant_volumes_and_noise_are_refused():
    refusal(np.zeros(SHAPE, np.int16), "same value everywhere")
    refusal(np.full(SHAPE, -1024, np.int16), "same value everywhere")
    refusal(np.random.default_rng(0).uniform(-4096, 4095, SHAPE).astype(np.float32), "soft tissue")


def test_label_maps_are_refused():
    refusal(np.random.default_rng(0).integers(0, 16, SHAPE).astype(np.int16))


def test_the_dicom_modality_decides_first():
    refusal(head_ct(), "modality MR", modality="MR")


@pytest.mark.parametrize("padding", [-2000, -3024])
def test_padding_becomes_air_and_is_noted(padding):
    array = head_ct()
    array[:, :, :5] = padding
    ct = clean_ct(as_volume(array))
    assert ct.array_kji.min() == -1024
    assert ct.array_kji.dtype == np.int16
    assert (array[:, :, 0] == padding).all()
    assert "below -1024" in ct.meta["notes"][0]


def test_zero_outside_becomes_air_and_water_inside_stays():
    ct = as_volume(head_ct(0.0))
    ct.array_kji[18:22, 30:34, 30:34] = 0
    clean = clean_ct(ct)
    assert (clean.array_kji[:, 0, 0] == -1024).all()
    assert clean.array_kji[20, 32, 32] == 0
    inside = radius() < 25
    assert np.array_equal(clean.array_kji[inside], ct.array_kji[inside])


def test_an_ordinary_ct_is_passed_on_untouched():
    ct = as_volume(head_ct())
    assert clean_ct(ct) is ct
    assert zero_exterior(ct.array_kji) is None


@pytest.mark.parametrize("name", ["ct_head/*_ct", "ct_body/*_ct", "ct_headneck/pt_2*_ct"])
def test_real_cts_are_accepted(shared_data, name):
    paths = sorted(shared_data.glob(f"{name}.nii.gz"))[:6]
    assert paths
    for path in paths:
        ct = clean_ct(read_volume(path))
        assert ct.array_kji.min() >= -1024


def test_real_mr_is_refused(shared_data):
    paths = sorted(shared_data.glob("mr_head_t1/*t1*.nii.gz"))[::3]
    paths += sorted(shared_data.glob("mr_body/*t2*.nii.gz")) + sorted(shared_data.glob("mr_body/*_mr.nii.gz"))
    assert len(paths) > 5
    for path in paths:
        with pytest.raises(MedUSISError) as caught:
            check_is_ct(read_volume(path))
        assert caught.value.code is ErrorCode.NOT_A_CT
        assert "neither air nor fat" in caught.value.message
