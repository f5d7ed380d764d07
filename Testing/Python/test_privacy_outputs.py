"""A planted patient is nowhere: not in a byte of any output, event or line that a job prints."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dataset_example
import numpy as np
import planted
import psutil
import pytest
from network_watch import heard, listening, watched_environment
from planted import EVERYTHING, FILE_WORD, HOME, NAME, OF_THE_PATIENT, PATIENT_ID
from study_example import CT_GRID, MR_GRID, Head, turing_protocol, write_table
from test_dicom_export import geometry_about
from test_imaging_dicom import write_series
from tiny_generator import head_phantom, tiny_bundle
from training_example import tiny_training, write_head

from MedUSISLib.imaging.volume import Volume
from MedUSISLib.jobs.kinds import KINDS
from MedUSISLib.study.versioned import to_json

NOT_THERE, DAMAGED = f"{FILE_WORD}_gone.nii.gz", f"{FILE_WORD}_damaged.nii.gz"
BY_DESIGN = {
    "batch": {"manifest.sqlite", "key.csv"},
    "scan": {"dataset.json", "dataset.html"},
    "train": {"training.json"},
}
"""Files that name others, stay with their user, and that nobody else can read: 0600."""


@dataclass
class Planted:
    """The inputs, and what became of the jobs on them."""

    root: Path
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)
    steps: list[str] = field(default_factory=list)
    printed: str = ""
    addresses: set[str] = field(default_factory=set)

    @property
    def home(self) -> Path:
        return self.root / HOME

    @property
    def temporary(self) -> Path:
        return self.root / "temporary"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def add(self, name: str, kind: str, /, **parameters: Any) -> None:
        path = self.root / f"{name}.json"
        told = {key: str(value) if isinstance(value, Path) else value for key, value in parameters.items()}
        path.write_text(json.dumps({"version": 1, "kind": kind, "parameters": told}))
        self.jobs[name] = told
        self.kinds.add(kind)
        self.steps.append(str(path))

    def run(self) -> None:
        named = {"USER": planted.USER, "LOGNAME": planted.USER, "HOME": str(self.root / "home" / planted.USER)}
        environment = watched_environment(
            self.root / "network", **named, MEDUSIS_GENERATORS=str(self.root / "none"), TMPDIR=str(self.temporary)
        )
        command = [sys.executable, str(Path(__file__).with_name("planted_child.py")), *self.steps]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=environment)
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(process.pid, ended))
        watcher.start()
        self.printed = process.communicate()[0]
        ended.set()
        watcher.join()

    def _watch(self, pid: int, ended: threading.Event) -> None:
        while not ended.wait(1.0):
            with suppress(psutil.Error):
                family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
                self.addresses.update(listening(family))

    def code(self, name: str) -> int:
        return int((self.root / f"{name}.code").read_text())

    def events(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.root / f"{name}.events").read_text().splitlines()]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """One run of each kind of job, those that fail on purpose too, in one process."""
    here = Planted(tmp_path_factory.mktemp("planted"))
    here.home.mkdir(parents=True)
    here.out.mkdir()
    here.temporary.mkdir()
    add_synthesis(here)
    add_dataset_and_training(here)
    add_study(here)
    here.run()
    assert (here.root / "analyse.code").is_file(), here.printed
    return here


def add_synthesis(here: Planted) -> None:
    ct, labels = head_phantom(geometry_about((4, 5, 6), (40, 36, 10), (5.0, 5.0, 15.0)))
    ct = ct.with_array(np.rint(ct.array_kji).astype(np.int16))
    series, nifti = here.home / f"{FILE_WORD}_dicom", planted.save_nifti(ct, here.home / f"{FILE_WORD}_ct.nii.gz")
    write_series(series, ct, change=planted.dicom_identity)
    segmentation = planted.save_itk(labels, here.home / f"{FILE_WORD}_seg.nrrd")
    other = planted.save_itk(labels, here.home / f"{NAME}_{PATIENT_ID}" / f"{FILE_WORD}_seg.mha")
    planted.save_nifti(ct, other.with_name(f"{FILE_WORD}_ct.nii.gz"))
    common = {"labels": "head", "generator": str(tiny_bundle(here.root / "tiny").directory), "device": "cpu"}
    here.add("batch", "batch", input=other.parent, out=here.out / "batch", workers=1, passes=1, **common)
    here.add("dicom", "synthesize", ct=series, segmentation=segmentation, out=here.out / "dicom", passes=2, **common)
    for name, hidden in (("nobody", True), ("somebody", False)):
        out = here.out / name
        here.add(name, "export-dicom", result=here.out / "dicom", source=series, out=out, deidentify=hidden)
    here.add("devices", "devices")
    here.add("install", "install-generator", source=here.root / "tiny", accept="yes")
    here.add("segment", "segment", ct=nifti, out=here.out / "segment" / "seg.nii.gz")
    (here.home / DAMAGED).write_bytes(nifti.read_bytes()[: nifti.stat().st_size // 2])
    gone, damaged = here.home / NOT_THERE, here.home / DAMAGED
    here.add("gone", "synthesize", ct=gone, segmentation=segmentation, out=here.out / "gone", **common)
    here.add("damaged", "synthesize", ct=damaged, segmentation=segmentation, out=here.out / "damaged", **common)
    holed = here.home / f"{FILE_WORD}_holed"
    write_series(holed, ct, change=planted.dicom_identity)
    half = max(path for path in holed.rglob("*") if path.is_file())
    half.write_bytes(half.read_bytes()[:-900])
    here.add("holed", "synthesize", ct=holed, segmentation=segmentation, out=here.out / "holed", **common)


def add_dataset_and_training(here: Planted) -> None:
    for number in range(3):
        folder = here.home / "data" / f"{NAME}{number}_{PATIENT_ID}"
        planted.save_nifti(dataset_example.mr(number), folder / f"{FILE_WORD}_t1.nii.gz")
        planted.save_nifti(dataset_example.labels(shift_mm=number), folder / f"{FILE_WORD}_seg.nii.gz")
    here.add("scan", "scan-dataset", folders=[str(here.home / "data")], out=here.out / "scan", jobs=1)
    images = []
    for seed, split in enumerate(("train", "train", "validation")):
        image, labels = write_head(here.home, f"{FILE_WORD}_{NAME}{seed}", seed)
        images.append({"image": str(image), "labels": str(labels), "person": f"{NAME}-{seed}", "split": split})
    configuration = tiny_training(
        here.root / "unused",
        out=str(here.out / "train"),
        cache=str(here.out / "cache"),
        data={"pairing": "paired", "crop": [64, 64], "images": images},
        phases=[{"name": "l1", "iterations": 2, "l1": 1}],
        validate_every=2,
        checkpoint_every=2,
    )
    here.add("estimate", "estimate-training", **configuration.model_dump(mode="json"))
    here.add("train", "train", **configuration.model_dump(mode="json"))
    here.add("export", "export-generator", training=here.out / "train", state="last", out=here.out / "mine.zip")


def add_study(here: Planted) -> None:
    rows = []
    for number in range(5):
        head, name = Head(number), f"{NAME}_{FILE_WORD}_{number}"
        real = np.abs(head.mr(MR_GRID) + np.random.default_rng(number).normal(0, 0.03, MR_GRID.shape_kji)) * 400
        noise = 0.02 * np.random.default_rng(9 + number).normal(size=CT_GRID.shape_kji)
        made = np.clip(head.mr(CT_GRID) + noise * (head.mr(CT_GRID) > 0), 0, 1.2).astype(np.float32)
        for role, volume in (
            ("real", Volume(np.rint(real).astype(np.int16), MR_GRID)),
            ("synthetic", Volume(made, CT_GRID)),
            ("ct", Volume(head.ct(CT_GRID), CT_GRID)),
        ):
            planted.save_nifti(volume, here.home / "cases" / f"{name}_{role}.nii.gz")
        files = {role: f"{name}_{role}.nii.gz" for role in ("real", "synthetic", "ct")}
        rows.append({"case": f"{NAME} {PATIENT_ID} {number}", **files, "stratum": "one", "training": "no"})
    table = write_table(here.home / "cases" / f"{FILE_WORD}.csv", rows)
    protocol = here.root / "protocol.json"
    protocol.write_text(to_json(turing_protocol()))
    study = here.out / "study"
    here.add("new", "new-study", table=table, protocol=str(protocol), out=study)
    here.add("check", "check-study", study=study)
    here.add("package", "package-study", study=study, folder=here.out / "packages")
    here.steps.append(f"answer={study}")
    answers = [str(here.out / f"{reader}.sqlite") for reader in ("R1", "R2")]
    here.add("analyse", "analyse-study", study=study, answers=answers, out=here.out / "results")


SUCCEED = (
    "batch", "dicom", "nobody", "somebody", "devices", "install", "segment", "scan", "estimate", "train", "export",
    "new", "check", "package", "analyse",
)  # fmt: skip
OUTPUTS = (
    "batch", "dicom", "nobody", "segment", "scan", "train", "cache", "mine.zip",
    "study", "packages", "R1.sqlite", "R2.sqlite", "results",
)  # fmt: skip
FAIL = ("gone", "damaged", "holed")


def test_the_search_sees_through_every_packing(tmp_path: Path) -> None:
    for name, content in planted.proof().items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / f"{NAME}.txt").touch()
    assert set(planted.found_in(tmp_path, (NAME,))) == {*planted.proof(), f"{NAME}.txt"}


def test_what_is_planted_is_there(done: Planted) -> None:
    missing = set(EVERYTHING)
    for words in planted.found_in(done.root / "home").values():
        missing -= set(words)
    assert missing <= {planted.HOST, planted.BIRTH_YEAR_TEXT}, "these are not written into a file of the inputs"


def test_every_job_went_as_it_should(done: Planted) -> None:
    assert done.kinds == set(KINDS), "each kind of job is run"
    assert {name: done.code(name) for name in SUCCEED} == dict.fromkeys(SUCCEED, 0), done.printed
    assert {name: done.code(name) for name in FAIL} == dict.fromkeys(FAIL, 10)


@pytest.mark.fault
@pytest.mark.parametrize("name", OUTPUTS)
def test_nothing_of_the_patient_is_in_any_output(done: Planted, name: str) -> None:
    assert (done.out / name).exists()
    assert set(planted.found_in(done.out / name)) == BY_DESIGN.get(name, set())


@pytest.mark.fault
def test_no_output_was_forgotten(done: Planted) -> None:
    assert {path.name for path in done.out.iterdir()} == {*OUTPUTS, "somebody"}


@pytest.mark.fault
def test_what_names_somebody_by_design_can_be_read_by_nobody_else(done: Planted) -> None:
    for folder, names in BY_DESIGN.items():
        for name in names:
            assert stat.S_IMODE((done.out / folder / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((done.out / "study" / "key.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((done.out / "scan" / "pictures").stat().st_mode) == 0o700


@pytest.mark.fault
def test_ordinary_dicom_names_the_patient_only_where_dicom_must(done: Planted) -> None:
    import pydicom

    patient_and_study = {
        "PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "ReferringPhysicianName",
        "StudyDescription", "PatientComments", "OtherPatientIDs",
    }  # fmt: skip
    for path in (done.out / "somebody").glob("*.dcm"):
        words = planted.words_in(path.read_bytes())
        assert set(words) <= set(OF_THE_PATIENT), path.name
        for element in pydicom.dcmread(path, stop_before_pixels=True).iterall():
            if planted.words_in(str(element.value).encode(), EVERYTHING):
                assert element.keyword in patient_and_study or element.VR == "SQ", element.keyword


@pytest.mark.fault
@pytest.mark.parametrize("name", [*SUCCEED, *FAIL])
def test_events_tell_nothing_of_the_patient(done: Planted, name: str) -> None:
    events = done.events(name)
    for event in events:
        event.pop("path", None) if event["event"] == "error" else None  # for the eyes of who gave it, never logged
    assert planted.words_in(json.dumps(events, ensure_ascii=False).encode()) == []
    assert events[-1]["event"] == ("error" if name in FAIL else "result")


@pytest.mark.fault
def test_nothing_of_the_patient_is_printed(done: Planted) -> None:
    assert planted.words_in(done.printed.encode()) == []


@pytest.mark.fault
def test_a_failed_job_leaves_nothing(done: Planted) -> None:
    assert not any((done.out / name).exists() for name in FAIL)
    assert [path.name for path in done.out.iterdir() if path.name.startswith(".")] == []


@pytest.mark.fault
def test_no_temporary_file_outlives_the_jobs(done: Planted) -> None:
    assert list(done.temporary.iterdir()) == []


@pytest.mark.fault
def test_no_job_listens_or_sends(done: Planted) -> None:
    tried = [line.split()[0] for line in heard(done.root / "network")]
    assert "watching" in tried and set(tried) == {"watching"}
    assert done.addresses == set(), "sockets of libraries that are not Python"


def test_a_try_to_reach_a_network_is_noticed(tmp_path: Path) -> None:
    for words in ("create_server(('', 0))", "create_connection(('192.0.2.1', 9), 1)", "gethostbyname('example.org')"):
        script = f"import socket; socket.{words}"
        environment = watched_environment(tmp_path)
        assert subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True).returncode == 1
    assert len([line for line in heard(tmp_path) if line.startswith("socket.")]) == 3


@pytest.mark.fault
def test_pages_fetch_nothing(done: Planted) -> None:
    """No picture, script, style or font of a page comes from elsewhere: looking at a report tells nobody of it."""
    pages = [path for path in done.out.rglob("*.html")]
    assert {path.name for path in pages} >= {"report.html", "dataset.html"}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"""(?:src|srcset|data|action|poster)\s*=\s*["'](?!data:|#)""", text), page.name
        assert not re.search(r"""<link[^>]+href|@import|url\(\s*["']?(?:https?:)?//""", text), page.name


@pytest.mark.fault
def test_the_log_of_a_job_tells_nothing_of_the_patient(done: Planted, tmp_path: Path) -> None:
    """By the command, with the real launcher; the terminal names the file to who typed it, the log does not."""
    parameters = done.jobs["damaged"]
    command = [sys.executable, "-m", "MedUSISLib.cli", "synthesize", "--ct", parameters["ct"]]
    command += ["--seg", parameters["segmentation"], "--labels", "head", "--generator", parameters["generator"]]
    environment = {**os.environ, "MEDUSIS_LOGS": str(tmp_path / "logs"), "USER": planted.USER}
    run = subprocess.run(
        [*command, "--out", str(tmp_path / "out"), "--verbose"], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 10 and DAMAGED in run.stderr
    (log,) = (tmp_path / "logs").iterdir()
    assert "INPUT_NOT_READABLE" in log.read_text() and stat.S_IMODE(log.stat().st_mode) == 0o600
    assert planted.found_in(tmp_path / "logs") == {}
    assert {path.name for path in tmp_path.iterdir()} == {"logs"}
