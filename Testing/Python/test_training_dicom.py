"""DICOM series to train with: in the configuration or in a dataset.json, known again by the content of their files."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from test_imaging_dicom import write_series
from test_training_dataset import of_dataset
from training_example import Recorder, write_head

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.dataset.model import CaseEntry, Dataset, FileEntry, PersonEntry
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.source_files import source_files
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.training.case_preparation import case_key, prepared_case
from MedUSISLib.training.data_configuration import ImageSource, LabelSource
from MedUSISLib.training.dataset_data import with_dataset
from MedUSISLib.training.run import train

HEAD = load_schema("head")


def as_series(image: Path, folder: Path, uid: str | None = None, modality: str = "MR") -> Path:
    """The same volume as a folder of slices; values below zero do not exist in a T1."""
    volume = read_volume(image)
    whole = Volume(np.rint(volume.array_kji).astype(np.int16), volume.geometry)
    return write_series(folder, whole, series_uid=uid, modality=modality, intercept=0)


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A T1 with whole numbers as NIfTI, its labels, and the same T1 as a DICOM series."""
    folder = tmp_path_factory.mktemp("head")
    image, labels = write_head(folder, "a", 0)
    whole = nibabel.load(image)
    nibabel.save(nibabel.Nifti1Image(np.rint(whole.get_fdata()).astype(np.int16), whole.affine), image)
    return image, labels, as_series(image, folder / "series")


def test_a_series_gives_the_case_that_the_same_volume_in_a_file_gives(head, tmp_path: Path) -> None:
    image, labels, series = head
    one, other = (
        prepared_case(ImageSource(image=path, labels=labels, person="a"), HEAD, tmp_path / path.name, Recorder())
        for path in (image, series)
    )
    assert one.image_kji is not None and other.image_kji is not None
    assert np.array_equal(one.labels_kji, other.labels_kji)
    assert np.allclose(one.image_kji, other.image_kji, atol=2e-3)


def test_a_series_is_known_by_the_content_of_all_its_slices(head, tmp_path: Path) -> None:
    _, labels, series = head
    copy = tmp_path / "copy"
    shutil.copytree(series, copy)

    def key(uid: str = "") -> str:
        return case_key(ImageSource(image=copy, labels=labels, person="a", series_uid=uid), HEAD)

    first = key()
    slices = sorted(copy.iterdir())
    for number, path in enumerate(slices):
        path.rename(copy / f"renamed-{99 - number}.dcm")
    assert key() == first
    one_slice = next(copy.iterdir())
    assert set(source_files(one_slice)) == set(source_files(copy)) == set(copy.iterdir())
    dataset = pydicom.dcmread(one_slice)
    dataset.PixelData = bytes(reversed(dataset.PixelData))
    dataset.save_as(one_slice)
    changed = key()
    assert changed != first
    # Another series beside it does not matter to one who says which one is meant.
    uid = str(dataset.SeriesInstanceUID)
    only = key(uid)
    shutil.copy(one_slice, copy / "other.dcm")
    other = pydicom.dcmread(copy / "other.dcm")
    other.SeriesInstanceUID = generate_uid()
    other.save_as(copy / "other.dcm")
    assert key(uid) == only and key() != changed


def test_a_dataset_with_dicom_series_is_trained_on(tmp_path: Path) -> None:
    hospital = tmp_path / "hospital"
    hospital.mkdir()
    files, cases = [], []
    everything = hospital / "all"
    for number, person in enumerate(("mueller", "meier")):
        image, labels = write_head(hospital, person, number)
        uid = generate_uid()
        # Both series lie in one folder: only their UID tells them apart.
        as_series(image, hospital / person, uid)
        everything.mkdir(exist_ok=True)
        for path in (hospital / person).iterdir():
            path.rename(everything / f"{number}-{path.name}")
        image.unlink()
        files += [
            FileEntry(id=f"mr{number}", path="all", role="mr", person=person, format="dicom", series_uid=str(uid)),
            FileEntry(id=f"lab{number}", path=labels.name, role="labels", person=person, mapping="head"),
        ]
        cases.append(CaseEntry(id=f"case{number}", person=person, mr=f"mr{number}", labels=f"lab{number}"))
    people = [PersonEntry(id="mueller", split="train"), PersonEntry(id="meier", split="validation")]
    dataset = Dataset(people=people, cases=cases, files=files)
    (hospital / "dataset.json").write_text(dataset.to_json(), encoding="utf-8")
    configuration = of_dataset(tmp_path, hospital)
    images = with_dataset(configuration).data.images
    assert len({image.series_uid for image in images}) == 2 and len({image.image for image in images}) == 1
    result = train(configuration, Recorder())
    assert result.iterations == 2 and np.isfinite(result.figures["mean_error"])


def test_a_folder_of_several_series_is_a_named_error_without_a_uid(head, tmp_path: Path) -> None:
    image, labels, _ = head
    as_series(image, tmp_path / "both")
    as_series(image, tmp_path / "more")
    for path in (tmp_path / "more").iterdir():
        path.rename(tmp_path / "both" / f"more-{path.name}")
    source = ImageSource(image=tmp_path / "both", labels=labels, person="a")
    with pytest.raises(MedUSISError, match="2 series") as caught:
        prepared_case(source, HEAD, tmp_path / "cache", Recorder())
    assert caught.value.code is ErrorCode.INPUT_NOT_READABLE and "Mueller" not in str(caught.value)


def test_a_head_ct_to_label_may_be_a_series(head) -> None:
    _, _, series = head
    assert case_key(LabelSource(ct=series, person="a"), HEAD) == case_key(LabelSource(ct=series, person="b"), HEAD)


@pytest.mark.parametrize(("name", "text"), [("a.mhd", "ElementDataFile = a.raw"), ("a.nhdr", "data file: ./a.raw")])
def test_voxels_in_a_file_of_their_own_belong_to_the_volume(tmp_path: Path, name: str, text: str) -> None:
    header, voxels = tmp_path / name, tmp_path / "a.raw"
    header.write_text(f"NRRD0004\n{text}\n")
    voxels.write_bytes(b"1234")
    (tmp_path / "b.raw").write_bytes(b"")
    assert source_files(header) == [header, tmp_path / "a.raw"]
    first = case_key(LabelSource(labels=header, mapping="head", person="a"), HEAD)
    voxels.write_bytes(b"1235")
    assert case_key(LabelSource(labels=header, mapping="head", person="a"), HEAD) != first
    header.write_text(f"NRRD0004\n{text.replace('./', '').replace('a.raw', 'LIST')}\n")
    assert source_files(header) == [header, tmp_path / "a.raw", tmp_path / "b.raw"]
