"""The bundled generator on the bundled head, through the command and through the library: what `make demo` shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.evaluation.class_table import class_table
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.imaging.crop import crop_to_box
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.progress import Progress
from MedUSISLib.resources import resource_path
from MedUSISLib.synthesis.engine import synthesize
from MedUSISLib.synthesis.request import SynthesisRequest

SCHEMA = load_schema("head")
FILES = {
    "mr.nii.gz", "uncertainty.nii.gz", "mask_consistency.nii.gz", "labels.nii.gz", "quality.json", "provenance.json",
    "report.html",
}  # fmt: skip


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Sixteen slices of the bundled head, from the eyes up, and their segmentation."""
    folder = tmp_path_factory.mktemp("head")
    box = (slice(52, 68), slice(None), slice(None))
    ct = crop_to_box(read_volume(resource_path("SampleData", "head_ct.nii.gz")), box)
    seg = crop_to_box(read_label_map(resource_path("SampleData", "head_seg.nii.gz")), box)
    return write_volume(ct, folder / "ct.nii.gz"), write_volume(seg, folder / "seg.nii.gz")


@pytest.fixture(scope="module")
def result(part: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("result") / "out"
    command = [
        sys.executable, "-m", "MedUSISLib.cli", "synthesize", "--ct", str(part[0]), "--seg", str(part[1]),
        "--labels", "head", "--generator", "head-t1w", "--out", str(out), "--passes", "3", "--device", "cpu",
        "--json-events",
    ]  # fmt: skip
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr[-2000:]
    events = [json.loads(line) for line in finished.stdout.splitlines()]
    assert events[-1]["event"] == "result"
    return out


def test_the_command_writes_every_file_in_the_grid_of_the_ct(part: tuple[Path, Path], result: Path) -> None:
    assert FILES <= {path.name for path in result.iterdir()}
    ct = read_volume(part[0])
    for name in ("mr", "uncertainty"):
        assert read_volume(result / f"{name}.nii.gz", role="the MR").geometry.same_grid(ct.geometry)
    consistency = read_label_map(result / "mask_consistency.nii.gz").array_kji
    assert set(np.unique(consistency)) <= {0, 1, 2, 3}


def test_the_picture_has_the_contrast_of_a_t1(result: Path) -> None:
    mr = read_volume(result / "mr.nii.gz", role="the MR").array_kji
    labels = read_label_map(result / "labels.nii.gz").array_kji
    mean = {row.name: row.mean for row in class_table(mr, labels, SCHEMA) if row.mean is not None}
    assert mean["fat"] > mean["white_matter"] > mean["cortex"] > mean["csf"]
    assert mean["cortical_bone"] < 0.4
    assert abs(mean["white_matter"] - 0.7) < 0.06
    assert mean["background"] < 0.05


def test_quality_and_provenance_say_what_was_measured_and_no_names(part: tuple[Path, Path], result: Path) -> None:
    quality = json.loads((result / "quality.json").read_text())
    assert quality["body"]["dice"] > 0.95
    assert quality["uncertainty"]["global"] > 0
    assert quality["unlabelled_body_fraction"] < 0.05
    provenance = (result / "provenance.json").read_text()
    report = (result / "report.html").read_text()
    assert "not for diagnosis" in report
    assert load_bundle("head-t1w").sha256 in provenance
    for text in (provenance, report, json.dumps(quality)):
        assert part[0].parent.name not in text


@pytest.mark.long
def test_the_same_seed_gives_the_same_voxels_and_another_seed_others(
    part: tuple[Path, Path], result: Path, tmp_path: Path
) -> None:
    def voxels(seed: int) -> np.ndarray:
        request = SynthesisRequest(
            ct=part[0], segmentation=part[1], labels="head", out=tmp_path / str(seed), passes=3, seed=seed, device="cpu"
        )
        return synthesize(request, Progress()).mr.array_kji

    stored = read_volume(result / "mr.nii.gz", role="the MR").array_kji
    assert np.array_equal(voxels(0), stored)
    assert not np.array_equal(voxels(1), stored)


@pytest.mark.long
def test_the_generator_of_volumes_draws_the_same_contrast_without_seams(
    part: tuple[Path, Path], tmp_path: Path
) -> None:
    """Half of the part, so that it takes two windows."""
    box = (slice(None), slice(None), slice(0, 110))
    ct = crop_to_box(read_volume(part[0]), box)
    seg = crop_to_box(read_label_map(part[1]), box)
    request = SynthesisRequest(
        ct=write_volume(ct, tmp_path / "ct.nii.gz"),
        segmentation=write_volume(seg, tmp_path / "seg.nii.gz"),
        labels="head",
        generator="head-t1w-3d",
        out=tmp_path / "out",
        passes=2,
        device="cpu",
    )
    result = synthesize(request, Progress())
    assert result.provenance["mode"] == "window"
    assert result.mr.geometry.same_grid(ct.geometry)
    rows = class_table(result.mr.array_kji, result.labels.array_kji, SCHEMA)
    mean = {row.name: row.mean for row in rows if row.mean is not None}
    assert mean["fat"] > mean["white_matter"] > mean["cortex"] > mean["csf"]
    assert mean["cortical_bone"] < 0.45
    assert abs(mean["white_matter"] - 0.7) < 0.08
    assert result.quality["seam_index"] is None or result.quality["seam_index"] < 1.5
    assert result.quality["body"]["dice"] > 0.95
    assert result.quality["uncertainty"]["global"] > 0


def test_the_shipped_bundles_are_whole_and_small() -> None:
    total = 0
    for name, kind in (("head-t1w", "generator"), ("head-t1w-3d", "generator"), ("head-seg", "segmentator")):
        bundle = load_bundle(name, kind=kind)
        total += (bundle.directory / "weights.safetensors").stat().st_size
        assert "not for diagnosis" in bundle.model_card
        assert bundle.manifest.training_data
    assert total < 16e6


def test_the_shipped_generator_reached_its_aims_on_held_out_people() -> None:
    manifest = load_bundle("head-t1w").manifest
    reached = manifest.results["held_out"]
    assert reached["mean_error"] <= 0.05
    assert reached["correlation"] >= 0.97
    assert 0.5 <= reached["high_frequency"] <= 2.0
    assert manifest.review.uncertainty is not None


def test_the_shipped_generator_of_volumes_has_the_right_classes_on_held_out_people() -> None:
    """It is smoother than head-t1w, and its card says so; its classes must be right all the same."""
    manifest = load_bundle("head-t1w-3d").manifest
    assert manifest.spatial_dims == 3
    reached = manifest.results["held_out"]
    assert reached["mean_error"] <= 0.05
    assert reached["correlation"] >= 0.97
    assert all(volume["seams"] < 1.5 for volume in manifest.results["volumes"])
    assert manifest.review.uncertainty is not None
