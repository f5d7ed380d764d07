"""Masks that lie in the folder of their CT: one segmentation where nothing speaks against it, told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from batch_tree import found_in, pairs
from dataset_example import GRID, ct, labels, mr, save
from dicom_example import box, loop_on, write_rtstruct
from test_dicom_regions import Heard

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.batch.find_cases import find_cases
from MedUSISLib.batch.table_writing import write_case_table
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.synthesis.inputs import read_case
from MedUSISLib.synthesis.request import SynthesisRequest

STRUCTURES = {"brain": 15, "skull": 4, "skin": 1}


def mask(value: int, geometry: Geometry = GRID) -> Volume:
    found = labels(geometry)
    return Volume((found.array_kji == value).astype(np.uint8), geometry)


def person(folder: Path, image: str = "ct.nii.gz") -> None:
    save(ct(), folder / image)
    for name, value in STRUCTURES.items():
        save(mask(value), folder / f"{name}.nii.gz")


@pytest.mark.parametrize("image", ["ct.nii.gz", "P1_CT.nrrd", "P1.nii.gz"])
def test_masks_beside_their_ct_are_its_segmentation(tmp_path: Path, image: str) -> None:
    person(tmp_path / "P1", image)
    save(ct(2), tmp_path / "P2" / "ct.nii.gz")
    assert found_in(tmp_path) == {f"P1/{image}": "P1", "P2/ct.nii.gz": None}


def test_masks_beside_the_only_ct_of_the_input_are_its_segmentation(tmp_path: Path) -> None:
    person(tmp_path)
    assert found_in(tmp_path) == {"ct.nii.gz": "."}
    table = write_case_table(find_cases(tmp_path), tmp_path / "cases.csv", tmp_path)
    again = find_cases(table)
    assert [(case.ct, case.segmentation) for case in again.cases] == [(tmp_path / "ct.nii.gz", tmp_path)]


def test_a_mask_of_an_odd_name_is_no_image(tmp_path: Path) -> None:
    save(ct(), tmp_path / "P1" / "ct.nii.gz")
    for name, value in STRUCTURES.items():
        save(mask(value), tmp_path / "P1" / "segmentations" / f"{name}.nii.gz")
    save(mask(9), tmp_path / "P1" / "segmentations" / "x17.nii.gz")
    assert found_in(tmp_path) == {"P1/ct.nii.gz": "P1/segmentations"}


def another_image(folder: Path) -> None:
    save(mr(), folder / "t1.nii.gz")


def another_ct(folder: Path) -> None:
    save(ct(3), folder / "ct_bone_kernel.nii.gz")


def a_whole_segmentation(folder: Path) -> None:
    save(labels(), folder / "seg.nii.gz")


def a_mask_on_another_grid(folder: Path) -> None:
    coarse = Geometry((11, 13, 10), (16.0, 16.0, 16.0), (-84.0, -100.0, -76.0))
    save(mask(15, coarse), folder / "brainstem.nii.gz")


def a_window_of_the_ct(folder: Path) -> None:
    save(ct(4), folder / "bone.nii.gz")


def an_object(folder: Path) -> None:
    write_rtstruct(folder / "plan" / "rs.dcm", ct(), {"Brain": [loop_on(GRID, 2, box(1, 5, 1, 5))]})


@pytest.mark.parametrize(
    "doubt",
    [another_image, another_ct, a_whole_segmentation, a_mask_on_another_grid, a_window_of_the_ct, an_object],
    ids=lambda doubt: doubt.__name__,
)
def test_where_anything_speaks_against_it_masks_are_told_and_not_taken(
    tmp_path: Path, doubt: Callable[[Path], None]
) -> None:
    person(tmp_path / "P1")
    doubt(tmp_path / "P1")
    found = find_cases(tmp_path)
    assert "P1" not in pairs(found, tmp_path).values()
    assert {f"P1/{name}.nii.gz" for name in STRUCTURES} <= {problem.where for problem in found.problems}


def test_masks_beside_their_ct_are_read_without_it(tmp_path: Path) -> None:
    person(tmp_path)
    request = SynthesisRequest(ct=tmp_path / "ct.nii.gz", segmentation=tmp_path, out=tmp_path / "out")
    heard, head = Heard(), load_schema("head")
    case = read_case(request, head, heard)
    assert np.array_equal(case.labels.array_kji == head.index_of("brain"), labels().array_kji == 15)
    assert not heard.warnings and not case.was_resampled


def test_a_ct_alone_is_no_folder_of_masks(tmp_path: Path) -> None:
    save(ct(), tmp_path / "ct.nii.gz")
    request = SynthesisRequest(ct=tmp_path / "ct.nii.gz", segmentation=tmp_path, out=tmp_path / "out")
    with pytest.raises(MedUSISError) as caught:
        read_case(request, load_schema("head"), Heard())
    assert caught.value.code is ErrorCode.EMPTY_SEGMENTATION and "without masks" in caught.value.message
