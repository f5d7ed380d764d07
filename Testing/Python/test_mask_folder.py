"""A folder with one mask for each structure is a segmentation, as TotalSegmentator writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_example import ct, labels
from test_dicom_regions import Heard

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.synthesis.inputs import Case, read_case
from MedUSISLib.synthesis.request import SynthesisRequest

HEAD = load_schema("head")
BRAIN, BONE = HEAD.index_of("brain"), HEAD.index_of("cortical_bone")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up head: its CT, and masks of its brain and skull; one structure that is not in the picture."""
    root = tmp_path_factory.mktemp("s0011")
    write_volume(ct(), root / "ct.nii.gz")
    found = labels()
    for name, inside in {"brain": found.array_kji == 15, "skull": found.array_kji == 4, "liver": False}.items():
        mask = np.broadcast_to(inside, found.array_kji.shape).astype(np.uint8)
        write_volume(Volume(mask, found.geometry), root / "segmentations" / f"{name}.nii.gz")
    (root / "segmentations" / "statistics.json").write_text("{}")
    return root


def case_of(folder: Path, masks: str = "segmentations", **settings: object) -> tuple[Case, Heard]:
    heard = Heard()
    request = SynthesisRequest(ct=folder / "ct.nii.gz", segmentation=folder / masks, out=folder / "out", **settings)
    return read_case(request, HEAD, heard), heard


@pytest.mark.parametrize("mapping", [None, "totalsegmentator"])
def test_masks_become_classes_by_their_names(folder: Path, mapping: str | None) -> None:
    case, heard = case_of(folder, labels=mapping)
    truth = labels().array_kji
    assert np.array_equal(case.labels.array_kji == BRAIN, truth == 15)
    assert np.array_equal(case.labels.array_kji == BONE, truth == 4)
    assert not heard.warnings and not case.was_resampled
    assert case.mapping == ("mask names" if mapping is None else mapping)


def test_masks_on_another_grid_are_resampled_and_told(folder: Path, tmp_path: Path) -> None:
    coarse = Geometry((22, 26, 20), (8.0, 8.0, 8.0), (-84.0, -100.0, -76.0))
    write_volume(ct(), tmp_path / "ct.nii.gz")
    mask = (labels(coarse).array_kji == 15).astype(np.uint8)
    write_volume(Volume(mask, coarse), tmp_path / "masks" / "brain.nrrd")
    case, heard = case_of(tmp_path, "masks")
    found, truth = case.labels.array_kji == BRAIN, labels().array_kji == 15
    assert case.was_resampled and "SEGMENTATION_RESAMPLED" in heard.warnings
    assert 2 * np.count_nonzero(found & truth) > 0.85 * (np.count_nonzero(found) + np.count_nonzero(truth))


def test_overlaps_are_told(folder: Path, tmp_path: Path) -> None:
    write_volume(ct(), tmp_path / "ct.nii.gz")
    for name in ("brain", "skull"):
        write_volume(
            Volume((labels().array_kji > 0).astype(np.uint8), labels().geometry), tmp_path / "m" / f"{name}.mha"
        )
    _, heard = case_of(tmp_path, "m")
    assert "SEGMENTS_OVERLAP" in heard.warnings


@pytest.mark.parametrize(
    ("content", "name", "code", "words"),
    [
        (labels().array_kji, "brain", ErrorCode.INPUT_NOT_READABLE, "several labels"),
        (-labels().array_kji.astype(np.int16), "brain", ErrorCode.INPUT_NOT_READABLE, "several labels"),
        (labels().array_kji > 9, "frobnicator", ErrorCode.UNKNOWN_LABELS, "frobnicator"),
        (labels().array_kji > 99, "brain", ErrorCode.EMPTY_SEGMENTATION, "segmentation"),
        (None, "brain", ErrorCode.INPUT_NOT_READABLE, "segmentation"),
    ],
)
def test_what_is_no_folder_of_masks_has_a_name(
    tmp_path: Path, content: np.ndarray | None, name: str, code: ErrorCode, words: str
) -> None:
    write_volume(ct(), tmp_path / "ct.nii.gz")
    (tmp_path / "m").mkdir()
    path = tmp_path / "m" / f"{name}.nii.gz"
    if content is None:
        path.write_bytes(b"nothing")
    else:
        array = content.astype(np.uint8) if content.dtype == bool else content
        write_volume(Volume(array, labels().geometry), path)
    with pytest.raises(MedUSISError) as caught:
        case_of(tmp_path, "m")
    assert caught.value.code is code and words in caught.value.message


def test_a_folder_without_anything_is_no_segmentation(tmp_path: Path) -> None:
    write_volume(ct(), tmp_path / "ct.nii.gz")
    (tmp_path / "m").mkdir()
    with pytest.raises(MedUSISError) as caught:
        case_of(tmp_path, "m")
    assert caught.value.code is ErrorCode.INPUT_NOT_READABLE
