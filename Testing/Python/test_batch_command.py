"""`medusis batch` from the command line, with a real generator in a real worker."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tiny_generator import head_phantom, tiny_bundle
from typer.testing import CliRunner

from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.runner import run_batch
from MedUSISLib.cli.batch import INCOMPLETE
from MedUSISLib.cli.main import app
from MedUSISLib.errors import MedUSISError
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_geometry
from MedUSISLib.imaging.writing import write_volume


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator, and a tree with a good case, a damaged one and one that nobody segmented."""
    folder = tmp_path_factory.mktemp("batch")
    tiny_bundle(folder / "generator")
    for number, patient in enumerate(("DOE_JANE", "ROE_JIM", "POE_JO"), 1):
        place = folder / "patients" / patient
        place.mkdir(parents=True)
        geometry = Geometry((40, 40, 5 + number), (1.5, 1.5, 6.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
        ct, labels = head_phantom(geometry)
        write_volume(ct, place / "ct.nii.gz")
        if patient != "POE_JO":
            write_volume(labels, place / "seg.nii.gz")
    damaged = folder / "patients" / "ROE_JIM" / "ct.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:-200])
    return folder


def request(folder: Path, **settings: object) -> BatchRequest:
    given = {"input": folder / "patients", "out": folder / "out", "generator": str(folder / "generator"), **settings}
    return BatchRequest.model_validate(given)


def batch(folder: Path, *options: str) -> tuple[int, str]:
    """Exit code and standard output."""
    where = ["--input", str(folder / "patients"), "--out", str(folder / "out")]
    how = ["--generator", str(folder / "generator"), "--labels", "head", "--passes", "1", "--device", "cpu"]
    result = CliRunner().invoke(app, ["batch", *where, *how, *options])
    return result.exit_code, result.stdout


def test_a_dry_run_names_the_cases_and_writes_nothing(folder: Path) -> None:
    code, said = batch(folder, "--dry-run", "--write-table", str(folder / "cases.csv"))
    assert code == 0 and not (folder / "out").exists()
    assert "DOE_JANE/ct.nii.gz" in said and "no segmentation" in said and "1 worker(s)" in said
    assert "POE_JO/ct.nii.gz" in (folder / "cases.csv").read_text()
    (folder / "cases.csv").write_text("corrected by hand")
    assert batch(folder, "--dry-run", "--write-table", str(folder / "cases.csv"))[0] != 0
    assert (folder / "cases.csv").read_text() == "corrected by hand"


@pytest.mark.parametrize("options", [[], ["--dry-run", "--json-events"], ["--background"]])
def test_a_table_is_written_by_a_look_alone_and_no_batch_is_begun(folder: Path, options: list[str]) -> None:
    where = ["--input", str(folder / "patients"), "--out", str(folder / "none")]
    options = [*options, "--write-table", str(folder / "no.csv")]
    result = CliRunner().invoke(app, ["batch", *where, *options])
    assert isinstance(result.exception, MedUSISError) and "--dry-run" in result.exception.hint
    assert not (folder / "none").exists() and not (folder / "no.csv").exists()


def test_a_dry_run_as_a_job_tells_numbers_and_keeps_names_in_a_private_file(folder: Path) -> None:
    found = folder / "found.json"
    summary = run_batch(request(folder, dry_run=True, found=found)).summary()
    content = json.loads(found.read_text())
    assert found.stat().st_mode & 0o077 == 0 and not (folder / "out").exists()
    assert summary["cases"] == len(content["cases"]) and summary["without_segmentation"] == 1
    assert summary["problems"] == len(content["problems"])


def test_a_batch_ends_with_code_3_when_some_cases_did_not_succeed(folder: Path) -> None:
    code, said = batch(folder)
    assert code == INCOMPLETE, said
    with Manifest.open(folder / "out", read_only=True) as manifest:
        states = {row.key.partition("/")[0]: (row.state.value, row.code) for row in manifest.rows()}
    assert states["DOE_JANE"] == ("done", "") and states["POE_JO"] == ("skipped", "EMPTY_SEGMENTATION")
    assert "1 done" in said and str(folder / "out" / "summary.html") in said
    results = [path for path in (folder / "out" / "cases").iterdir() if (path / "report.html").is_file()]
    assert len(results) == 1
    grid = read_geometry(results[0] / "mr.nii.gz")
    assert np.allclose(grid.spacing_mm, (1.5, 1.5, 6.0)) and grid.size_ijk == (40, 40, 6)
    for name in ("log.txt", "summary.html", "quality.csv"):
        # In packed pictures three letters occur by chance.
        text = re.sub("base64,[A-Za-z0-9+/=]+", "", (folder / "out" / name).read_text())
        assert not [word for word in ("DOE", "ROE", "POE", str(folder)) if word in text], name
    assert "DOE_JANE" in (folder / "out" / "key.csv").read_text()


def test_settings_that_no_case_could_work_with_are_refused_at_once(folder: Path) -> None:
    (folder / "empty").mkdir()
    for settings, words in (
        ({"labels": "no-such-mapping"}, "BAD_SETTING"),
        ({"generator": "no-such"}, "GENERATOR_NOT_FOUND"),
        ({"input": folder / "empty"}, "no CT was found"),
        ({"input": folder / "nowhere"}, "INPUT_NOT_READABLE"),
    ):
        with pytest.raises(MedUSISError, match=words):
            run_batch(request(folder, out=folder / "other", **settings))
    assert not (folder / "other").exists()
