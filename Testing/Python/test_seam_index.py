"""The seam index: it sees borders of windows, and neither anatomy nor texture nor slow changes of brightness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from painter import Painter
from scipy import ndimage
from test_synthesis_modes import fill, random_labels
from tiny_generator import tiny_bundle

from MedUSISLib.evaluation.seam_index import seam_index
from MedUSISLib.synthesis.modes import SliceViews, VolumeWindows, WindowedSlices
from MedUSISLib.synthesis.windows import NO_BORDERS, gaussian_weights, total_weights, window_layout


def anatomy(seed: int, shape: tuple[int, int, int] = (48, 52, 56)) -> tuple[np.ndarray, np.ndarray]:
    """A made head of five irregular tissues, each with its brightness, fine texture, and a smooth coil field."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), 6)
    labels = 1 + np.digitize(smooth, np.quantile(smooth, [0.2, 0.4, 0.6, 0.8]))
    k, j, i = np.indices(shape)
    radius = np.sqrt(((k - 24) / 22) ** 2 + ((j - 26) / 24) ** 2 + ((i - 28) / 26) ** 2)
    labels = np.where(radius < 1, labels, 0)
    texture = ndimage.gaussian_filter(rng.normal(size=shape), 1)
    texture *= 0.03 / texture.std()
    field = 1 + 0.15 * np.sin(k / 30 + seed) * np.cos(i / 25)
    blurred = ndimage.gaussian_filter(np.array([0, 0.3, 0.5, 0.7, 0.9, 0.2])[labels], 0.7)
    return ((blurred + texture * (labels > 0)) * field).astype(np.float32), labels.astype(np.uint8)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), first=st.integers(10, 20), apart=st.integers(8, 18))
def test_anatomy_texture_and_fields_are_no_seams(seed: int, first: int, apart: int) -> None:
    volume, labels = anatomy(seed)
    places = (first, first + apart)  # borders of windows are never nearer to one another
    index = seam_index(volume, (places, places, places), labels)
    assert index is not None and 0.5 < index < 1.7  # 501 such heads: 0.81 to 1.36


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000), axis=st.integers(0, 2), place=st.integers(16, 32), step=st.sampled_from([-0.04, 0.04])
)
def test_a_planted_step_is_seen_where_it_is_and_nowhere_else(seed: int, axis: int, place: int, step: float) -> None:
    volume, labels = anatomy(seed)
    behind = np.moveaxis(volume, axis, 0)[place:]
    behind += step
    borders: list[tuple[int, ...]] = [(), (), ()]
    borders[axis] = (place,)
    there = seam_index(volume, borders, labels)
    borders[axis], borders[(axis + 1) % 3] = (), (place,)
    elsewhere = seam_index(volume, borders, labels)
    assert there is not None and elsewhere is not None
    assert there > 2.2 and elsewhere < 2.2  # a single plane; 167 such heads: 2.9 to 6.6, and 0.55 to 1.8


def test_a_stronger_step_has_a_higher_index() -> None:
    found = []
    for step in (0.0, 0.02, 0.05, 0.1):
        volume, labels = anatomy(3)
        volume[24:] += step
        found.append(seam_index(volume, ((24,), (), ()), labels))
    assert found == sorted(found) and found[0] < 1.2 and found[-1] > 3  # type: ignore[type-var]


def test_tiles_of_other_brightness_show_unless_they_overlap_and_are_weighted() -> None:
    """The deliberate mistake: windows put side by side, or averaged without weights."""
    volume, labels = anatomy(5)
    rng = np.random.default_rng(0)
    found = {}
    for name, overlap in (("side by side", 0.0), ("unweighted", 0.25), ("weighted", 0.5)):
        layout = window_layout(volume.shape, (28, 28, 28), overlap)
        weights = gaussian_weights((28, 28, 28)) if name == "weighted" else np.ones((28, 28, 28), np.float32)
        offset = np.zeros(layout.shape, np.float32)
        for number in range(len(layout.corners)):
            offset[layout.slices(number)] += weights * rng.normal(0, 0.1)
        offset /= total_weights(layout, weights)
        borders = layout.borders(volume.shape)
        found[name] = seam_index(volume + offset * (labels > 0), borders, labels)
    assert found["weighted"] < 1.25 < 1.8 < found["unweighted"], found  # type: ignore[operator]
    assert found["side by side"] > 1.8, found  # type: ignore[operator]


def test_windows_are_blended_near_the_faces_of_the_volume_too() -> None:
    """A floor under the product of the axes let two windows meet there with equal weights, and the seam showed."""
    window, shape = (16, 16, 16), (24, 16, 16)
    layout, weights = window_layout(shape, window), gaussian_weights((16, 16, 16))
    blended = np.zeros(shape, np.float32)
    for number in range(len(layout.corners)):
        blended[layout.slices(number)] += weights * number
    blended /= total_weights(layout, weights)
    assert np.abs(np.diff(blended[:, 8, 8])).max() < 0.5
    np.testing.assert_allclose(blended[:, 0, 0], blended[:, 8, 8], atol=1e-4)
    # Nearly coinciding windows, as of a head that is a little larger than one: the second comes in gently.
    layout, weights = window_layout((17,), (16,)), gaussian_weights((16,))
    blended = np.zeros(17, np.float32)
    for number in range(len(layout.corners)):
        blended[layout.slices(number)] += weights * number
    blended /= total_weights(layout, weights)
    assert blended[0] == 0 and blended[1] < 0.35 and np.abs(np.diff(blended)).max() < 0.35


def test_what_cannot_be_measured_is_none_and_flat_images_have_no_seam() -> None:
    flat = np.full((20, 20, 20), 0.5, np.float32)
    assert seam_index(flat, ((10,), (), ())) == 1
    assert seam_index(flat, NO_BORDERS) is None
    assert seam_index(flat, ((1, 19), (), ())) is None
    assert seam_index(flat, ((10,), (), ()), np.zeros((20, 20, 20), np.uint8)) is None
    with pytest.raises(ValueError, match="shape"):
        seam_index(flat, ((10,), (), ()), np.zeros((2, 20, 20), np.uint8))


def test_modes_say_where_their_windows_end() -> None:
    labels = np.ones((40, 48, 48), np.uint8)
    assert SliceViews([0]).borders(labels) == NO_BORDERS
    assert WindowedSlices(0, (32, 32)).borders(labels) == ((), (16, 32), (16, 32))
    assert WindowedSlices(2, (32, 48)).borders(labels) == ((8, 32), (), ())
    # 40 voxels of anatomy and a rim of 8 on each side, from -8 to 48: boxes begin at -8, 4, 16
    first, second, _ = VolumeWindows((32, 32, 32)).borders(labels)
    assert first == (4, 16, 24, 36) and second == (8, 24, 40)
    assert VolumeWindows((64, 64, 64)).borders(labels) == NO_BORDERS
    assert VolumeWindows((16, 16, 16)).borders(np.zeros((20, 20, 20), np.uint8)) == NO_BORDERS


@pytest.mark.parametrize("mode", [WindowedSlices(0, (64, 64)), VolumeWindows((32, 32, 32))])
def test_windows_of_networks_have_no_seams(tmp_path, mode) -> None:  # type: ignore[no-untyped-def]
    if isinstance(mode, VolumeWindows):
        network, labels = Painter(multiple=8), random_labels((48, 48, 48))
    else:
        network, labels = tiny_bundle(tmp_path / "tiny", noise=0).load_network(), np.zeros((2, 128, 128), np.uint8)
        labels[:, 4:124, 4:124] = 9
    maps = fill(mode, labels, network, passes=1)
    index = seam_index(maps.mean, mode.borders(labels), labels)
    assert index is None or index < 1.5
