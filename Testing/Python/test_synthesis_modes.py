"""Slices, three views and windows: what they cover, that nothing shows at seams, that empty slices are skipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from painter import Painter, synthesize_in_memory
from tiny_generator import head_phantom, tiny_bundle, tiny_manifest

from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.generators.manifest import IntensityDescription
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.batches import BatchRunner
from MedUSISLib.synthesis.grid_maps import GridMaps
from MedUSISLib.synthesis.modes import SliceViews, VolumeWindows, WindowedSlices, occupied_slices
from MedUSISLib.synthesis.passes import PassSampler, PassSettings
from MedUSISLib.synthesis.windows import gaussian_weights, total_weights, window_layout


def fill(mode: object, labels: np.ndarray, network: torch.nn.Module, **settings: object) -> GridMaps:
    sampler = PassSampler(network, tiny_manifest(noise=0), PassSettings(**settings))  # type: ignore[arg-type]
    maps = GridMaps.empty(labels.shape, IntensityDescription(minimum=-1.0, maximum=1.0), with_spread=False)
    runner = BatchRunner(3, torch.device("cpu"), Progress())
    mode(labels, sampler, lambda pixels: runner, maps, Progress(), lambda *_: None)  # type: ignore[operator]
    return maps


def random_labels(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 16, shape).astype(np.uint8)


def painted(labels: np.ndarray) -> np.ndarray:
    return np.linspace(-1, 1, 16, dtype=np.float32)[labels]


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1, 2)])
def test_views_put_every_slice_back_where_it_was(axes: tuple[int, ...]) -> None:
    labels = random_labels((10, 21, 30))
    maps = fill(SliceViews(axes), labels, Painter(), passes=1)
    np.testing.assert_allclose(maps.mean, painted(labels), atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 100, 77), (2, 20, 64), (2, 31, 15)])
@pytest.mark.parametrize("axis", [0, 2])
def test_windows_leave_no_seam(shape: tuple[int, int, int], axis: int) -> None:
    labels = np.moveaxis(random_labels(shape), 0, axis)
    maps = fill(WindowedSlices(axis, (32, 32)), labels, Painter(), passes=1)
    np.testing.assert_allclose(maps.mean, painted(labels), atol=1e-5)


def test_windows_of_a_real_network_show_no_edge(tmp_path: Path) -> None:
    """One class everywhere: where windows begin and end, the image changes no faster than elsewhere."""
    network = tiny_bundle(tmp_path / "tiny", noise=0).load_network()
    labels = np.full((1, 128, 128), 9, np.uint8)
    blended = fill(WindowedSlices(0, (64, 64)), labels, network, passes=1).mean[0]
    steps = np.abs(np.diff(blended, axis=1))[16:112].mean(axis=0)
    at_edges = steps[[31, 63, 95]].mean()
    assert at_edges <= 2 * steps[16:112].mean()


def test_window_variance_is_that_of_the_blended_image(tmp_path: Path) -> None:
    network = tiny_bundle(tmp_path / "tiny", noise=0).load_network()
    labels = random_labels((1, 96, 96))
    maps = fill(WindowedSlices(0, (64, 64)), labels, network, passes=4)
    single = fill(SliceViews([0]), labels, network, passes=4)
    # where windows overlap their dropout is independent: the blend varies less than a single window
    assert 0 < maps.variance[0, 40:56, 40:56].mean() < single.variance[0, 40:56, 40:56].mean()


@pytest.mark.parametrize("shape", [(20, 40, 36), (9, 16, 16), (16, 16, 40)])
def test_volume_windows_leave_no_seam(shape: tuple[int, int, int]) -> None:
    labels = random_labels(shape)
    maps = fill(VolumeWindows((16, 16, 16)), labels, Painter(), passes=1)
    np.testing.assert_allclose(maps.mean, painted(labels), atol=1e-5)


def test_empty_slices_are_skipped_and_stay_dark() -> None:
    labels = random_labels((9, 16, 16))
    labels[[0, 4, 8]] = 0
    network = Painter()
    maps = fill(SliceViews([0]), labels, network, passes=1)
    assert occupied_slices(labels, 0) == [1, 2, 3, 5, 6, 7]
    assert sum(network.batches) == 6
    assert (maps.mean[[0, 4, 8]] == -1).all()


def test_window_layout_covers_and_is_symmetric() -> None:
    for size in (64, 65, 100, 129, 500):
        layout = window_layout((size,), (64,))
        starts = [corner[0] for corner in layout.corners]
        assert starts[0] == 0 and starts[-1] == size - 64
        assert all(0 < b - a <= 32 for a, b in zip(starts, starts[1:], strict=False))
        total = total_weights(layout, gaussian_weights((64,)))
        assert total.min() > 0


def test_three_view_takes_the_views_that_the_generator_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bundle, "load_network", lambda self, device="cpu": Painter())
    ct, segmentation = head_phantom(Geometry((50, 50, 14), (1.0, 1.0, 3.5)))
    for views, mode, codes in (
        (("axial",), "slice", {"VIEWS_LIMITED"}),
        (("axial", "coronal"), "three-view", {"VIEWS_LIMITED"}),
        (("axial", "coronal", "sagittal"), "three-view", set()),
    ):
        bundle = tiny_bundle(tmp_path / f"tiny{len(views)}", views=views)
        result = synthesize_in_memory(ct, segmentation, bundle, mode="three-view")
        assert result.provenance["mode"] == mode
        assert {warning.code for warning in result.warnings} & {"VIEWS_LIMITED"} == codes


@pytest.mark.parametrize("slice_axis", ["coronal", "sagittal"])
def test_generator_of_other_slices_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slice_axis: str) -> None:
    monkeypatch.setattr(Bundle, "load_network", lambda self, device="cpu": Painter())
    bundle = tiny_bundle(tmp_path / "tiny", views=(slice_axis,), slice_axis=slice_axis)
    ct, segmentation = head_phantom(Geometry((50, 50, 50)), radius_mm=20)
    for mode in ("slice", "window"):
        result = synthesize_in_memory(ct, segmentation, bundle, mode=mode)
        np.testing.assert_allclose(result.mr.array_kji, 1.2 * segmentation.array_kji / 15, atol=1e-5)


def test_field_of_view_beyond_the_training_crop_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bundle, "load_network", lambda self, device="cpu": Painter())
    bundle = tiny_bundle(tmp_path / "tiny", size=(32, 32))
    ct, segmentation = head_phantom(Geometry((60, 60, 6), (1.0, 1.0, 4.0)))
    whole = synthesize_in_memory(ct, segmentation, bundle)
    windows = synthesize_in_memory(ct, segmentation, bundle, mode="window")
    assert "FIELD_OF_VIEW" in {warning.code for warning in whole.warnings}
    assert "FIELD_OF_VIEW" not in {warning.code for warning in windows.warnings}
    np.testing.assert_allclose(whole.mr.array_kji, windows.mr.array_kji, atol=1e-5)


def test_three_dimensional_generator_works_in_boxes(tmp_path: Path) -> None:
    from MedUSISLib.generators.manifest import GridDescription, NetworkDescription

    arguments = {
        "number_of_classes": 16,
        "spatial_dims": 3,
        "widths": [16, 16, 16],
        "noise_channels": 8,
        "spade_hidden": 4,
        "dropout": 0.3,
        "dropout_blocks": 1,
    }
    bundle = tiny_bundle(
        tmp_path / "tiny",
        spatial_dims=3,
        grid=GridDescription(size=(32, 32, 16)),
        network=NetworkDescription(name="wavelet_generator", arguments=arguments),
    )
    ct, segmentation = head_phantom(Geometry((50, 50, 14), (1.0, 1.0, 2.0)))
    result = synthesize_in_memory(ct, segmentation, bundle, passes=2)
    assert result.mr.geometry == ct.geometry
    assert np.isfinite(result.mr.array_kji).all() and result.uncertainty.array_kji.max() > 0
