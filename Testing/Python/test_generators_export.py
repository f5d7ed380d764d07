"""`medusis generators`: export, install, verify, show, list and remove, as a user goes through them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tiny_generator import tiny_bundle
from training_example import Recorder, tiny_training
from typer.testing import CliRunner

from MedUSISLib.cli.main import app
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle, load_bundle, sha256_of_file
from MedUSISLib.generators.pack import pack_bundle
from MedUSISLib.training.export_job import export_training
from MedUSISLib.training.export_request import ExportRequest
from MedUSISLib.training.run import TrainingResult, train


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture(autouse=True)
def generators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "generators"
    monkeypatch.setenv("MEDUSIS_GENERATORS", str(folder))
    return folder


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["generators", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_generator_goes_from_one_user_to_another(bundle: Bundle, tmp_path: Path, generators: Path) -> None:
    archive = tmp_path / "tiny.zip"
    said = run("export", bundle.directory, "--out", archive)
    digest = sha256_of_file(archive)
    assert "tiny 1.0.0 written" in said and digest in said
    assert "tiny 1.0.0 installed" in run("install", archive, "--sha256", digest, "--accept-licence")
    rows = {row["id"]: row for row in json.loads(run("list", "--json"))}
    assert rows["tiny"]["origin"] == "user" and rows["tiny"]["problem"] == ""
    assert bundle.sha256 in run("verify", "tiny")
    assert run("show", "tiny") == bundle.model_card
    assert json.loads(run("show", "tiny", "--json"))["id"] == "tiny"
    again = tmp_path / "again.zip"
    run("export", "tiny", "--out", again)
    assert again.read_bytes() == archive.read_bytes()
    assert "tiny removed" in run("remove", "tiny", "--yes")
    assert "tiny" not in run("list") and not (generators / "tiny").exists()
    with pytest.raises(MedUSISError, match="no generator of this id"):
        run("remove", "tiny", "--yes")


def test_a_zip_file_is_the_same_whenever_it_is_packed_and_holds_what_the_manifest_names(
    bundle: Bundle, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle.directory, copy)
    (copy / ".DS_Store").write_text("left by an operating system")
    for path in copy.rglob("*"):
        os.utime(path, (1e9, 1e9))
        if path.is_file():
            path.chmod(0o600)
    first = pack_bundle(bundle, tmp_path / "first.zip")
    second = pack_bundle(load_bundle(copy), tmp_path / "second.zip")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert set(archive.namelist()) == {f"tiny/{name}" for name in ("manifest.json", *bundle.manifest.files)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}


def test_a_folder_is_exported_too(bundle: Bundle, tmp_path: Path) -> None:
    run("export", bundle.directory, "--out", tmp_path / "folder")
    assert load_bundle(tmp_path / "folder").sha256 == bundle.sha256


@pytest.mark.parametrize("name", ["there.zip", "there"])
def test_what_is_there_is_replaced_only_when_asked(bundle: Bundle, tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    run("export", bundle.directory, "--out", target)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(MedUSISError) as caught:
        run("export", bundle.directory, "--out", target)
    assert caught.value.code is ErrorCode.BAD_SETTING and "--overwrite" in caught.value.hint
    run("export", bundle.directory, "--out", target, "--overwrite")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_of_something_else_is_never_replaced(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(MedUSISError, match="other files"):
        run("export", bundle.directory, "--out", tmp_path / "mine", "--overwrite")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_full_disk_leaves_nothing(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("MedUSISLib.generators.pack.shutil.copyfileobj", full)
    with pytest.raises(MedUSISError) as caught:
        pack_bundle(bundle, tmp_path / "out.zip")
    assert caught.value.code is ErrorCode.DISK_FULL
    assert not list(tmp_path.glob("*.zip")) and not list(tmp_path.glob(".packing*"))


def test_a_damaged_generator_is_neither_verified_nor_exported(bundle: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle.directory, copy)
    (copy / "README.md").write_text("another text")
    for arguments in (("verify", copy), ("export", copy, "--out", tmp_path / "x.zip")):
        with pytest.raises(MedUSISError) as caught:
            run(*arguments)
        assert caught.value.code is ErrorCode.GENERATOR_CORRUPT and "README.md" in caught.value.message
    assert not (tmp_path / "x.zip").exists()


# -- trainings -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    folder = tmp_path_factory.mktemp("trained")
    phases = [{"name": "l1", "iterations": 6, "l1": 1}]
    return train(tiny_training(folder, phases=phases, validate_every=2, checkpoint_every=2), Recorder())


def test_a_finished_training_gives_the_bundle_that_it_ended_with(trained: TrainingResult, tmp_path: Path) -> None:
    run("export", trained.out, "--out", tmp_path / "own.zip")
    assert "tiny 0.1.0 installed" in run("install", tmp_path / "own.zip", "--accept-licence")
    assert load_bundle("tiny").sha256 == load_bundle(trained.bundle).sha256


def test_a_checkpoint_of_a_training_becomes_a_generator_and_the_training_is_only_read(
    trained: TrainingResult, tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.out.rglob("*")}
    request = ExportRequest(training=trained.out, state="last", out=tmp_path / "last.zip")
    exported = export_training(request, Recorder())
    assert (exported.id, exported.iteration) == ("tiny", 6)
    assert {path: path.stat().st_mtime_ns for path in trained.out.rglob("*")} == before
    run("install", tmp_path / "last.zip", "--accept-licence")
    mine, theirs = load_bundle("tiny"), load_bundle(trained.bundle)
    assert sha256_of_file(mine.directory / "weights.safetensors") == theirs.manifest.files["weights.safetensors"]
    assert mine.manifest.results["held_out"] == pytest.approx(theirs.manifest.results["held_out"])
    assert "* iterations: 6 of 6" in mine.model_card


def test_a_training_without_a_bundle_is_exported_by_a_job(trained: TrainingResult, tmp_path: Path) -> None:
    copy = tmp_path / "moved"
    shutil.copytree(trained.out, copy, ignore=shutil.ignore_patterns("bundle", "tensorboard", "samples"))
    command = [sys.executable, "-m", "MedUSISLib.cli", "generators", "export", str(copy)]
    done = subprocess.run([*command, "--out", str(tmp_path / "x.zip"), "--json-events"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["event"] == "result"
    run("install", tmp_path / "x.zip", "--accept-licence")
    assert "chosen as the best by: mean_error" in load_bundle("tiny").model_card


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "good"], "no state 'good'"),
        (["--from", "best"], "not the folder of a training"),
    ],
)
def test_a_state_that_there_is_not_is_a_named_error(
    bundle: Bundle, tmp_path: Path, arguments: list[str], words: str
) -> None:
    with pytest.raises(MedUSISError, match=words):
        run("export", bundle.directory, "--out", tmp_path / "x.zip", *arguments)


def test_a_training_that_has_not_begun_is_a_named_error(trained: TrainingResult, tmp_path: Path) -> None:
    with pytest.raises(MedUSISError) as caught:
        run("export", tmp_path, "--out", tmp_path / "x.zip")
    assert caught.value.code is ErrorCode.GENERATOR_NOT_FOUND
    (tmp_path / "empty").mkdir()
    shutil.copy(trained.out / "training.json", tmp_path / "empty")
    with pytest.raises(MedUSISError, match="no best state yet") as caught:
        export_training(ExportRequest(training=tmp_path / "empty", out=tmp_path / "x.zip"), Recorder())
    assert caught.value.code is ErrorCode.INPUT_NOT_READABLE
