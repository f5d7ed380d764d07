"""The memory of a synthesis is foretold from sizes, near enough to what was measured to warn in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from MedUSISLib.generators.manifest import Manifest, read_manifest
from MedUSISLib.imaging.body import body_mask
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.grid import GridSpec, plan_grid
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.resources import resource_path
from MedUSISLib.synthesis import second_look
from MedUSISLib.synthesis.memory_estimate import _SEGMENTED_AT_ONCE, estimated_peak_bytes, generator_grid_size


@pytest.fixture(scope="module")
def head_t1w() -> Manifest:
    return read_manifest(Path(resource_path("Generators", "head-t1w")))


@pytest.mark.parametrize(
    ("size", "spacing", "measured_gb"),
    [
        ((64, 64, 40), (4.0, 4.0, 6.0), 0.93),
        ((256, 256, 200), (1.0, 1.0, 1.2), 1.66),
        ((512, 512, 100), (0.5, 0.5, 2.4), 1.29),
        ((512, 512, 200), (0.5, 0.5, 1.2), 1.88),
        ((512, 512, 400), (0.5, 0.5, 0.6), 2.26),
    ],
)
def test_estimates_are_near_the_benchmarks(
    head_t1w: Manifest, size: tuple[int, int, int], spacing: tuple[float, float, float], measured_gb: float
) -> None:
    assert estimated_peak_bytes(Geometry(size, spacing), head_t1w) / 1e9 == pytest.approx(measured_gb, rel=0.1)


@pytest.mark.parametrize(("batch", "measured_gb"), [(2, 0.93), (16, 0.97), (40, 1.40)])
def test_batches_count_on_a_cpu(head_t1w: Manifest, batch: int, measured_gb: float) -> None:
    ct = Geometry((64, 64, 40), (4.0, 4.0, 6.0))
    assert estimated_peak_bytes(ct, head_t1w, batch_size=batch) / 1e9 == pytest.approx(measured_gb, rel=0.1)
    assert estimated_peak_bytes(ct, head_t1w, batch_size=batch, on_cpu=False) / 1e9 == pytest.approx(0.91, abs=0.01)


def test_more_of_anything_takes_more(head_t1w: Manifest) -> None:
    small, large = Geometry((256, 256, 100), (1, 1, 2)), Geometry((512, 512, 300), (0.5, 0.5, 1))
    plain = estimated_peak_bytes(large, head_t1w)
    assert plain > estimated_peak_bytes(small, head_t1w)
    assert estimated_peak_bytes(large, head_t1w, noise_samples=4) > plain
    assert estimated_peak_bytes(small, head_t1w, batch_size=64) > estimated_peak_bytes(small, head_t1w)
    assert estimated_peak_bytes(small, head_t1w, mode="three-view") > estimated_peak_bytes(small, head_t1w)


def test_the_grid_is_at_least_the_engines(head_t1w: Manifest) -> None:
    ct = read_volume(resource_path("SampleData", "head_ct.nii.gz"))
    spec = GridSpec(head_t1w.grid.spacing_mm, (256, 256), head_t1w.grid.slice_axis)
    planned = plan_grid(ct.geometry, spec, body_mask(ct)).size_ijk
    assert np.all(np.array(generator_grid_size(ct.geometry, head_t1w, "slice")) >= planned)


def test_a_turned_ct_has_its_own_slice_axis(head_t1w: Manifest) -> None:
    # index axis i runs up: sagittal slices, 5 mm apart along left-right
    turned = Geometry((240, 256, 40), (1.0, 1.0, 5.0), direction=(0, 0, 1.0, 0, 1.0, 0, 1.0, 0, 0))
    assert generator_grid_size(turned, head_t1w, "slice") == (256, 256, 240)


def test_the_copied_limit_is_the_engines() -> None:
    assert second_look.VOXELS_AT_ONCE == _SEGMENTED_AT_ONCE
