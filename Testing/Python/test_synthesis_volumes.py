"""Generators of volumes: the MR lies where the CT lies, whatever its axes; boxes, modes, previews, passes and noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from painter import Painter, synthesize_in_memory
from test_synthesis_geometry import axes_matrix, centred, check, landmark_phantom, rotation
from test_synthesis_modes import fill, random_labels
from tiny_generator import head_phantom, tiny_bundle, tiny_manifest

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.generators.manifest import GridDescription, IntensityDescription, NetworkDescription
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.batches import BatchRunner
from MedUSISLib.synthesis.boxes import BoxLayout
from MedUSISLib.synthesis.grid_maps import GridMaps
from MedUSISLib.synthesis.modes import VolumeWindows
from MedUSISLib.synthesis.passes import PassSampler, PassSettings
from MedUSISLib.synthesis.plan import fitting_mode

NETWORK = {
    "number_of_classes": 16,
    "spatial_dims": 3,
    "widths": [16, 16, 16],
    "noise_channels": 8,
    "spade_hidden": 4,
    "dropout": 0.3,
    "dropout_blocks": 1,
}


def volume_bundle(folder: Path, size: tuple[int, int, int] = (32, 24, 40), spacing: float = 1.0) -> Bundle:
    return tiny_bundle(
        folder / "tiny3d",
        spatial_dims=3,
        grid=GridDescription(size=size, spacing_mm=(spacing, spacing, spacing)),
        network=NetworkDescription(name="wavelet_generator", arguments=NETWORK),
    )


@pytest.fixture
def painting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A 3D bundle whose network draws every class with its own intensity."""
    bundle = volume_bundle(tmp_path)
    monkeypatch.setattr(Bundle, "load_network", lambda self, device="cpu": Painter())
    return bundle


@pytest.mark.parametrize(
    ("order", "signs"), [((0, 1, 2), (-1, 1, -1)), ((2, 0, 1), (1, -1, 1)), ((1, 2, 0), (-1, -1, -1))]
)
def test_landmarks_survive_flips_and_orders_of_axes(
    painting: Bundle, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    check(painting, centred((60, 58, 56), (1.0, 1.0, 1.0), axes_matrix(order, signs)))


def test_oblique_ct_keeps_its_grid(painting: Bundle) -> None:
    axes = rotation(17, -11) @ axes_matrix((1, 0, 2), (1, -1, 1))
    geometry = centred((60, 56, 58), (1.0, 1.0, 1.0), axes)
    check(painting, geometry)
    result = synthesize_in_memory(*landmark_phantom(geometry), painting)
    assert result.provenance["mode"] == "window" and result.statistics["seam_index"] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("size", "spacing"), [((110, 108, 24), (0.53, 0.53, 2.5)), ((40, 41, 30), (1.5, 1.45, 2.0))])
def test_anisotropic_spacing_keeps_landmarks(
    painting: Bundle, size: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    check(painting, centred(size, spacing, axes_matrix((0, 1, 2), (-1, 1, -1))))


def test_a_coarser_generator_and_a_single_slice_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = volume_bundle(tmp_path, spacing=1.5)
    monkeypatch.setattr(Bundle, "load_network", lambda self, device="cpu": Painter())
    check(coarse, centred((60, 58, 30), (1.0, 1.0, 2.0), np.eye(3)))
    ct, segmentation = landmark_phantom(centred((60, 58, 1), (1.0, 1.0, 5.0), np.eye(3)))
    result = synthesize_in_memory(ct, segmentation, coarse)
    assert result.mr.geometry == ct.geometry
    inside = segmentation.array_kji > 0
    assert np.median(np.abs(result.mr.array_kji - 1.2 * segmentation.array_kji / 15)[inside]) < 1e-3


def test_a_head_smaller_than_a_box_lies_in_its_middle() -> None:
    labels = np.zeros((20, 30, 30), np.uint8)
    labels[5:9, 10:20, 26:30] = 7
    boxes = BoxLayout.around(labels, (32, 32, 32))
    assert boxes is not None and boxes.offset == (-9, -1, 12)
    assert len(boxes.layout.corners) == 1
    cut = boxes.cut(labels, 0)
    assert cut.shape == (32, 32, 32) and cut.sum() == labels.sum()
    assert np.allclose(np.argwhere(cut).mean(0), 15.5, atol=1)
    maps = fill(VolumeWindows((32, 32, 32)), labels, Painter(), passes=1)
    np.testing.assert_allclose(maps.mean, np.linspace(-1, 1, 16, dtype=np.float32)[labels], atol=1e-5)


def test_what_is_far_from_anatomy_is_not_drawn() -> None:
    labels = np.zeros((80, 80, 80), np.uint8)
    labels[30:50, 30:50, 30:50] = 5
    network = Painter()
    maps = fill(VolumeWindows((16, 16, 16)), labels, network, passes=1)
    assert (maps.mean[:8] == -1).all() and (maps.mean[:, :, 72:] == -1).all()
    assert sum(network.batches) <= 4**3
    assert fill(VolumeWindows((16, 16, 16)), np.zeros((9, 9, 9), np.uint8), Painter(), passes=1).mean.max() == -1


def test_the_mode_follows_the_generator_and_a_wrong_one_is_named(painting: Bundle, tmp_path: Path) -> None:
    flat = tiny_bundle(tmp_path / "flat").manifest
    assert fitting_mode(flat, "auto") == "slice" and fitting_mode(flat, "window") == "window"
    assert fitting_mode(painting.manifest, "auto") == fitting_mode(painting.manifest, "window") == "window"
    ct, segmentation = head_phantom(Geometry((50, 50, 20)))
    for mode in ("slice", "three-view"):
        with pytest.raises(MedUSISError, match=f"no mode '{mode}'") as caught:
            synthesize_in_memory(ct, segmentation, painting, mode=mode)
        assert caught.value.code == ErrorCode.BAD_SETTING and "window" in str(caught.value.hint)


def test_finished_slices_are_shown_once_and_in_order() -> None:
    seen: list[tuple[int, int, np.ndarray]] = []
    labels = random_labels((40, 30, 30))
    sampler = PassSampler(Painter(), tiny_manifest(noise=0), PassSettings(passes=1))
    maps = GridMaps.empty(labels.shape, IntensityDescription(minimum=0.0, maximum=1.2), with_spread=False)
    runner = BatchRunner(2, torch.device("cpu"), Progress())
    VolumeWindows((16, 16, 16))(
        labels, sampler, lambda _: runner, maps, Progress(), lambda *found: seen.append((*found[:2], found[2].copy()))
    )
    assert [number for _, number, _ in seen] == list(range(40)) and {axis for axis, _, _ in seen} == {0}
    values = np.linspace(-1, 1, 16, dtype=np.float32)
    for _, number, image in seen:
        np.testing.assert_allclose(image, values[labels[number]], atol=1e-5)


def test_batches_change_nothing_and_passes_give_a_variance(tmp_path: Path) -> None:
    bundle = volume_bundle(tmp_path, (24, 24, 24))
    ct, segmentation = head_phantom(Geometry((24, 24, 20)), radius_mm=9)

    def run(**settings: Any) -> Any:
        return synthesize_in_memory(ct, segmentation, bundle, **settings)

    one, several = run(passes=2, batch_size=1, noise_samples=2), run(passes=2, batch_size=3)
    np.testing.assert_allclose(one.mr.array_kji, several.mr.array_kji, atol=1e-4)
    assert one.uncertainty.array_kji.max() > 0
    assert one.noise_spread is not None and one.noise_spread.array_kji.max() > 0
    assert not np.allclose(run(passes=1, seed=1).mr.array_kji, run(passes=1, seed=2).mr.array_kji)
