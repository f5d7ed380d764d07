"""The bundled head-seg on the bundled head CT, and its rules; through the public way in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.evaluation.dice import dice
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.progress import Progress
from MedUSISLib.resources import resource_path
from MedUSISLib.segmentation.hu_rules import HU_RANGES, hu_penalty
from MedUSISLib.segmentation.intensity_rules import class_brightness
from MedUSISLib.segmentation.network_scores import vertex_mm
from MedUSISLib.segmentation.request import SegmentationRequest
from MedUSISLib.segmentation.segment import segment, segment_volume

SCHEMA = load_schema("head")
BRAIN = [SCHEMA.index_of(n) for n in ("cortex", "white_matter", "deep_grey", "cerebellum", "brainstem")]


@pytest.fixture(scope="module")
def head_ct() -> Volume:
    """Every second slice of the bundled CT: half the time, thick slices."""
    ct = read_volume(resource_path("SampleData", "head_ct.nii.gz"))
    spacing = ct.geometry.spacing_mm
    array = np.ascontiguousarray(ct.array_kji[::2])
    return Volume(
        array,
        Geometry(array.shape[::-1], (*spacing[:2], 2 * spacing[2]), ct.geometry.origin_lps_mm, ct.geometry.direction),
    )


@pytest.fixture(scope="module")
def labels(head_ct: Volume) -> np.ndarray:
    return segment_volume(head_ct, "ct", device="cpu").array_kji


def test_a_head_ct_gets_a_plausible_brain_in_its_own_grid(head_ct: Volume, labels: np.ndarray) -> None:
    assert labels.shape == head_ct.array_kji.shape
    brain_ml = np.isin(labels, BRAIN).sum() * head_ct.geometry.voxel_volume_mm3 / 1000
    assert 900 < brain_ml < 1800


def test_bone_air_and_background_agree_with_the_hu(head_ct: Volume, labels: np.ndarray) -> None:
    bone = np.isin(labels, [SCHEMA.index_of("cortical_bone"), SCHEMA.index_of("cancellous_bone")])
    hu = head_ct.array_kji
    assert np.percentile(hu[bone], 5) > 100
    assert (hu[labels == SCHEMA.index_of("air")] < -200).mean() > 0.95
    assert np.median(hu[labels == SCHEMA.index_of("fat")]) < -30
    assert (hu[labels == 0] < -200).mean() > 0.98  # the head rest is background too


def test_the_bundled_segmentation_is_what_the_bundled_network_gives(labels: np.ndarray) -> None:
    stored = read_label_map(resource_path("SampleData", "head_seg.nii.gz")).array_kji[::2]
    assert (dice(np.isin(labels, BRAIN), np.isin(stored, BRAIN)) or 0) > 0.97


def test_a_flipped_ct_gets_the_same_labels_at_the_same_places(head_ct: Volume, labels: np.ndarray) -> None:
    grid = head_ct.geometry
    far = tuple(grid.index_to_lps([(grid.size_ijk[0] - 1, grid.size_ijk[1] - 1, 0)])[0])
    direction = np.asarray(grid.direction).reshape(3, 3) * np.array([-1, -1, 1])
    flipped = Volume(
        np.ascontiguousarray(head_ct.array_kji[:, ::-1, ::-1]),
        Geometry(grid.size_ijk, grid.spacing_mm, far, tuple(direction.ravel())),
    )
    again = segment_volume(flipped, "ct", device="cpu").array_kji[:, ::-1, ::-1]
    assert (again == labels).mean() > 0.99


def test_segmenting_a_file_says_what_is_only_a_prior_and_overwrites_nothing(head_ct: Volume, tmp_path: Path) -> None:
    middle = head_ct.array_kji[20:24]
    ct, out = tmp_path / "ct.nii.gz", tmp_path / "seg.nii.gz"
    grid = head_ct.geometry
    write_volume(Volume(middle, Geometry((*grid.size_ijk[:2], 4), grid.spacing_mm)), ct)
    warnings: list[str] = []

    class Listener(Progress):
        def warning(self, code: str, message: str) -> None:
            warnings.append(message)

    segment(SegmentationRequest(ct=ct, out=out, device="cpu"), Listener())
    assert read_label_map(out).geometry.same_grid(read_volume(ct).geometry)
    assert any("white matter" in message for message in warnings)
    with pytest.raises(MedUSISError) as caught:
        segment(SegmentationRequest(ct=ct, out=out, device="cpu"), Progress())
    assert caught.value.code is ErrorCode.BAD_SETTING


def test_a_t1_given_as_a_ct_is_refused() -> None:
    rng = np.random.default_rng(0)
    t1 = Volume(rng.integers(0, 800, (10, 64, 64)).astype(np.int16), Geometry((64, 64, 10)))
    with pytest.raises(MedUSISError) as caught:
        segment_volume(t1, "ct", device="cpu")
    assert caught.value.code is ErrorCode.NOT_A_CT


def test_totalsegmentator_is_asked_for_when_it_is_not_there(head_ct: Volume, tmp_path: Path) -> None:
    import importlib.util

    if importlib.util.find_spec("totalsegmentator"):
        pytest.skip("TotalSegmentator is installed")
    ct = tmp_path / "ct.nii.gz"
    write_volume(head_ct, ct)
    request = SegmentationRequest(ct=ct, out=tmp_path / "seg.nii.gz", tool="totalsegmentator")
    with pytest.raises(MedUSISError) as caught:
        segment(request, Progress())
    assert caught.value.code is ErrorCode.DEPENDENCY_MISSING


def test_hu_speak_against_a_class_only_outside_its_range() -> None:
    for name, limits in HU_RANGES.items():
        middle = np.array([(limits.low + limits.high) / 2])
        assert limits.penalty(middle)[0] == 0, name
        assert limits.penalty(np.array([limits.low - 5000.0]))[0] == 12, name
    bright, dark = np.array([1200.0]), np.array([-900.0])
    smooth = np.array([30.0])
    assert hu_penalty("white_matter", bright, smooth, 33)[0] > hu_penalty("cortical_bone", bright, smooth, 33)[0]
    assert hu_penalty("air", dark, smooth, 33)[0] < hu_penalty("fat", dark, smooth, 33)[0]


def test_fluid_and_brain_are_told_apart_relative_to_this_ct() -> None:
    hu = np.array([10.0, 34.0])
    fluid, cortex = (hu_penalty(name, hu, hu, 33.0) for name in ("csf", "cortex"))
    assert fluid[0] < cortex[0]
    assert cortex[1] < fluid[1]


def test_the_vertex_is_unknown_when_the_field_of_view_cuts_it() -> None:
    grid = Geometry((100, 100, 20), (1.0, 1.0, 2.0))
    head = np.zeros(grid.shape_kji, bool)
    head[:15, 20:80, 20:80] = True
    assert vertex_mm(head, grid) == 28.0
    head[:, 20:80, 20:80] = True
    assert np.isnan(vertex_mm(head, grid))


def test_brightness_of_classes_needs_all_of_them() -> None:
    labels = np.zeros((4, 40, 60), np.uint8)
    for number, name in enumerate(("csf", "cortex", "white_matter", "deep_grey", "cerebellum", "brainstem")):
        labels[:, :, number * 10 : (number + 1) * 10] = SCHEMA.index_of(name)
    values = labels * 0.05
    found = class_brightness(values, labels, SCHEMA)
    assert found["white_matter"].median == pytest.approx(0.05 * SCHEMA.index_of("white_matter"))
    assert found["csf"].penalty(np.array([found["csf"].median]))[0] == 0
    labels[labels == SCHEMA.index_of("brainstem")] = 0
    assert class_brightness(values, labels, SCHEMA) == {}


@pytest.mark.long
def test_a_real_t1_gets_the_brain_that_freesurfer_sees(shared_data: Path) -> None:
    from MedUSISLib.anatomy.mapping import load_mapping

    t1 = read_volume(shared_data / "mr_head_t1" / "mne_ecog_t1.nii.gz", role="the MR")
    reference = read_label_map(shared_data / "mr_head_t1" / "mne_ecog_aseg.nii.gz").array_kji
    truth = load_mapping("synthseg", SCHEMA).apply(reference)
    labels = segment_volume(t1, "mr", device="cpu").array_kji
    assert (dice(np.isin(labels, BRAIN), np.isin(truth, BRAIN)) or 0) > 0.93
    for name, least in (("white_matter", 0.78), ("cortex", 0.74), ("cerebellum", 0.86)):
        index = SCHEMA.index_of(name)
        assert (dice(labels == index, truth == index) or 0) > least, name
