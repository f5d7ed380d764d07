"""Programs of others that know the standard look at what is written: dciodvfy, dcentvfy and dicom-validator."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicom_example import write_ct, write_result
from test_imaging_dicom import OBLIQUE

from MedUSISLib.dicom.export import export_dicom
from MedUSISLib.dicom.request import ExportDicomRequest

pytest.importorskip("highdicom")

KINDS = ("classic", "enhanced", "nobody", "enhanced-nobody")
RESCALE = {"RescaleIntercept", "RescaleSlope", "RescaleType"}
"""Not in the MR Image IOD: a Standard Extended SOP Class (PS3.2 7.3), for readers that go by nothing else."""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CT, and what is written of its result in every way."""
    folder = tmp_path_factory.mktemp("checked")
    write_result(folder / "result", write_ct(folder / "ct", OBLIQUE))
    for kind in KINDS:
        export_dicom(
            ExportDicomRequest(
                result=folder / "result", source=folder / "ct", out=folder / kind,
                enhanced="enhanced" in kind, deidentify="nobody" in kind,
            )
        )  # fmt: skip
    return folder


def every_file(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.dcm"))


def tool(name: str) -> str:
    program = os.environ.get(name.upper()) or shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed (Debian: dicom3tools)")
    return program


def errors_of(*command: str | Path) -> list[str]:
    said = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace")
    return [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("kind", KINDS)
def test_dciodvfy_finds_no_error(exported: Path, kind: str) -> None:
    """David Clunie's checker of single files; its version of 2022 does not know Synthetic Data yet."""
    program = tool("dciodvfy")
    for path in every_file(exported / kind):
        assert not [line for line in errors_of(program, path) if "0x0008,0x001c" not in line], path.name


@pytest.mark.parametrize("kind", KINDS)
def test_dcentvfy_finds_one_patient_and_one_study(exported: Path, kind: str) -> None:
    """An export alone, and with its CT: but for names, which it compares before their characters are decoded."""
    program = tool("dcentvfy")
    assert not errors_of(program, *every_file(exported / kind))
    if "nobody" not in kind:
        found = errors_of(program, *every_file(exported / "ct"), *every_file(exported / kind))
        assert not [line for line in found if "<ReferringPhysicianName>" not in line]


@pytest.fixture(scope="module")
def validator() -> Any:
    """dicom-validator with the standard that lies on this machine; nothing is fetched."""
    pytest.importorskip("dicom_validator", reason="dicom-validator is not installed")
    from dicom_validator.spec_reader.edition_reader import EditionReader
    from dicom_validator.validator.dicom_file_validator import DicomFileValidator

    folder = Path(os.environ.get("DICOM_STANDARD") or Path.home() / "dicom-validator")
    reader = EditionReader(folder)
    edition = reader.get_edition("local") if (folder / "editions.json").is_file() else None
    if edition is None or not reader.json_files_exist(edition):
        pytest.skip("dicom-validator has no copy of the standard here (docs/dicom.md says how to get one)")
    return DicomFileValidator(reader.load_dicom_info(edition), logging.CRITICAL)


@pytest.mark.parametrize("kind", KINDS)
def test_dicom_validator_finds_nothing_but_the_rescale_of_the_mr(
    exported: Path, validator: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = pydicom.config.settings
    monkeypatch.setattr(settings, "reading_validation_mode", settings.reading_validation_mode)  # it changes this
    for path in every_file(exported / kind):
        (result,) = validator.validate(path).values()
        found = {(pydicom.datadict.keyword_for_tag(tag.tag), error.code.name)
                 for errors in result.module_errors.values() for tag, error in errors.items()}  # fmt: skip
        expected = {(keyword, "TagUnexpected") for keyword in RESCALE} if path.name.startswith("mr-") else set()
        assert found == expected, path.name


def test_dicom_validator_would_find_what_is_missing(
    exported: Path, validator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check itself is checked: of each kind of object, an attribute taken away is missed."""
    settings = pydicom.config.settings
    monkeypatch.setattr(settings, "reading_validation_mode", settings.reading_validation_mode)
    for name, keyword in (
        ("mr.dcm", "PixelPresentation"),
        ("labels.dcm", "SegmentationType"),
        ("uncertainty.dcm", "ContentLabel"),
    ):
        ds = pydicom.dcmread(exported / "enhanced" / name)
        delattr(ds, keyword)
        ds.save_as(tmp_path / name)
        (result,) = validator.validate(tmp_path / name).values()
        found = [pydicom.datadict.keyword_for_tag(tag.tag) for e in result.module_errors.values() for tag in e]
        assert found == [keyword]
