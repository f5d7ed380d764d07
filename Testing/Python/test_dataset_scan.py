"""From folders to dataset.json and dataset.html."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
from dataset_example import GRID, ct, labels, mr, save, save_nifti
from dataset_scans import scan, write_hospital
from faults.verdict import time_limit
from test_imaging_dicom import write_series
from typer.testing import CliRunner

from MedUSISLib.cli.main import app
from MedUSISLib.dataset.checking import check_dataset, item_of
from MedUSISLib.dataset.measuring import read_item
from MedUSISLib.dataset.model import Dataset, load_dataset
from MedUSISLib.dataset.workers import for_each
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE


class Heard(Progress):
    """Remembers what it was told; may cancel."""

    def __init__(self, cancel_after: int | None = None) -> None:
        self.warnings: list[tuple[str, str]] = []
        self.stages: list[str] = []
        self.steps = 0
        self._cancel_after = cancel_after

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def step(self, done: int, total: int) -> None:
        self.steps += 1

    def warning(self, code: str, message: str) -> None:
        self.warnings.append((code, message))

    def checkpoint(self) -> None:
        if self._cancel_after is not None and self.steps >= self._cancel_after:
            raise MedUSISError(ErrorCode.CANCELLED, "cancelled")


def codes_of(dataset: Dataset) -> dict[str, set[str]]:
    """Problem codes by file name; those of cases under their CT, MR or labels."""
    found: dict[str, set[str]] = {}
    for problem in dataset.problems:
        case = next((c for c in dataset.cases if c.id == problem.case), None)
        file = problem.file or (case.files()[0] if case else None)
        name = Path(dataset.file(file).path).name if file else ""
        found.setdefault(name, set()).add(problem.code)
    return found


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hospital(tmp_path_factory.mktemp("hospital") / "Mueller_Hans_data")


@pytest.fixture(scope="module")
def scanned(hospital: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Heard]:
    out = tmp_path_factory.mktemp("scan") / "out"
    heard = Heard()
    scan(hospital, out, heard)
    return out, heard


def test_files_become_people_and_cases(scanned: tuple[Path, Heard]) -> None:
    dataset = load_dataset(scanned[0])
    cases = {
        case.person: tuple(Path(dataset.file(f).path).name if f else None for f in (case.ct, case.mr, case.labels))
        for case in dataset.cases
    }
    dicom = next(person for person in cases if person.startswith("patient-"))
    assert cases == {
        "P001": ("ct.nii.gz", None, "seg.nrrd"),
        "P002": ("head.mha", None, "what.nii.gz"),
        "P003": (None, "t1.nii.gz", None),
        dicom: ("export", None, None),
    }
    assert all(case.coverage is None or case.coverage > 0.95 for case in dataset.cases)
    assert {f.mapping for f in dataset.files if f.role == "labels"} == {"head"}
    assert dataset.left_out == {".mgz": 1, "other": 1}


def test_every_file_of_a_dataset_can_be_read(scanned: tuple[Path, Heard]) -> None:
    dataset = load_dataset(scanned[0])
    for file in dataset.files:
        assert read_item(item_of(dataset, file)).geometry.size_ijk == file.size_ijk
    assert sum(1 for _ in dataset.used_cases()) == 4
    assert check_dataset(scanned[0], content=True).cases == 4


def test_dataset_and_data_can_be_moved_together(hospital: Path, tmp_path: Path) -> None:
    data = tmp_path / "a" / "data"
    save(ct(1), data / "p1_ct.nii.gz")
    scan(data, tmp_path / "a" / "scan")
    (tmp_path / "a").rename(tmp_path / "b")
    assert check_dataset(tmp_path / "b" / "scan" / "dataset.json").files == 1


def test_what_is_told_names_nobody(scanned: tuple[Path, Heard]) -> None:
    told = json.dumps([scanned[1].warnings, scanned[1].stages])
    assert scanned[1].steps and not re.search(r"Mueller|P00|\.nii|/", told)


def test_neither_patient_id_nor_name_of_dicom_is_written(scanned: tuple[Path, Heard]) -> None:
    for name in ("dataset.json", "dataset.html"):
        text = (scanned[0] / name).read_text()
        assert "Mueller^Hans" not in text
        # Within hashes and packed pictures any four digits occur by chance.
        assert "4711" not in re.sub(r"[0-9a-f]{8,}|base64,[A-Za-z0-9+/=]+", "", text)


def test_page_stands_alone_and_warns(scanned: tuple[Path, Heard]) -> None:
    html = (scanned[0] / "dataset.html").read_text()
    assert html.count("must not leave the hospital") >= 2
    assert html.count("data:image/jpeg;base64,") == 4
    assert not re.search(r"(src|href)=\"(?!data:|#)", html) and "<script" not in html


def test_names_are_escaped_on_the_page(tmp_path: Path) -> None:
    data = tmp_path / "<img src=x onerror=alert(1)>"
    save(mr(1), data / "a&b<b>_t1.nii.gz")
    scan(tmp_path, tmp_path / "out")
    html = (tmp_path / "out" / "dataset.html").read_text()
    assert "<img src=x" not in html and "b<b>" not in html and "&lt;img" in html


def spoiled(root: Path) -> dict[str, set[str]]:
    """Files with one thing wrong each, and the code that says so."""
    save(ct(9).with_array((ct(9).array_kji + 1024).astype(np.int16)), root / "a_ct.nii.gz")
    save_nifti(np.stack([mr(10).array_kji] * 2), root / "b_bold.nii.gz", GRID.affine_ras)
    sheared = GRID.affine_ras @ np.array([[1, 0.3, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    save_nifti(mr(11).array_kji, root / "c_t1.nii.gz", sheared)
    save(mr(12), root / "d_t1.nii.gz")
    whole = (root / "d_t1.nii.gz").read_bytes()
    (root / "d_t1.nii.gz").write_bytes(whole[: len(whole) // 2])
    (root / "e_t1.nii.gz").write_bytes(b"")
    save_nifti(np.full(GRID.shape_kji, 7, np.int16), root / "f_t1.nii.gz")
    holes = mr(13).array_kji.astype(np.float32)
    holes[:2] = np.nan
    save_nifti(holes, root / "g_t1.nii.gz")
    save(mr(14, Geometry((44, 52, 1), (4, 4, 4))), root / "h_t1.nii.gz")
    save(mr(15, Geometry((20, 20, 20), (1, 1, 1))), root / "i_t1.nii.gz")
    save(mr(16, Geometry((44, 52, 16), (4, 4, 10), (-86.0, -102.0, -78.0))), root / "j_t1.nii.gz")
    save(ct(17), root / "k_ct.nii.gz")
    moved = Geometry(GRID.size_ijk, GRID.spacing_mm, (0.0, 0.0, 0.0))
    lost = labels()
    save(type(lost)(lost.array_kji, moved), root / "k_seg.nii.gz")
    save(ct(18), root / "l_ct.nii.gz")
    save(labels().with_array(np.where(labels().array_kji == 4, 250, labels().array_kji)), root / "l_seg.nii.gz")
    save(ct(19), root / "m_ct.nii.gz")
    save(labels().with_array((labels().array_kji == 15).astype(np.uint8)), root / "m_seg.nii.gz")
    save(mr(20), root / "n_t1.nii.gz")
    save(mr(20), root / "o_t1.nrrd")
    save(mr(20), root / "p_t1.nii.gz")
    copy = nibabel.load(root / "p_t1.nii.gz")
    save_nifti(np.asarray(copy.dataobj).T.astype(np.float32), root / "p_t1.nii.gz", np.diag([2.0, 2, 2, 1]))
    save_nifti(mr(20).array_kji[:, ::-1], root / "q_t1.nii.gz")
    save_nifti(np.zeros(GRID.shape_kji, np.uint8), root / "r_seg.nii.gz")
    save_nifti(np.zeros((*GRID.shape_kji[:3],), [("R", "u1"), ("G", "u1"), ("B", "u1")]), root / "s_t1.nii.gz")
    return {
        "a_ct.nii.gz": {"NOT_HU", "NO_LABELS"},
        "b_bold.nii.gz": {"FOUR_D"},
        "c_t1.nii.gz": {"SHEARED"},
        "d_t1.nii.gz": {"DAMAGED"},
        "e_t1.nii.gz": {"DAMAGED"},
        "f_t1.nii.gz": {"CONSTANT"},
        "g_t1.nii.gz": {"NOT_FINITE"},
        "h_t1.nii.gz": {"SINGLE_SLICE"},
        "i_t1.nii.gz": {"SMALL_FIELD_OF_VIEW"},
        "j_t1.nii.gz": {"ANISOTROPIC"},
        "k_ct.nii.gz": {"GEOMETRY_MISMATCH", "OTHER_GRID"},
        "l_seg.nii.gz": {"UNMAPPED_LABELS"},
        "m_ct.nii.gz": {"NO_LABELS"},
        "m_seg.nii.gz": {"SINGLE_LABEL"},
        "o_t1.nrrd": {"DUPLICATE"},
        "p_t1.nii.gz": {"SAME_VOXELS_OTHER_HEADER", "SMALL_FIELD_OF_VIEW"},
        "q_t1.nii.gz": {"DUPLICATE"},
        "r_seg.nii.gz": {"EMPTY_LABELS"},
        "s_t1.nii.gz": {"NOT_GREY"},
    }


def test_each_flaw_has_its_code_and_errors_are_not_used(tmp_path: Path) -> None:
    expected = spoiled(tmp_path / "data")
    dataset = scan(tmp_path / "data", tmp_path / "out")
    assert codes_of(dataset) == expected
    unusable = {Path(f.path).name for f in dataset.files if not f.use}
    errors = "abcdefhklopqrs"
    assert {name[0] for name in unusable} == set(errors)
    assert "k_ct.nii.gz" not in unusable and "k_seg.nii.gz" in unusable
    mismatch = next(p for p in dataset.problems if p.code == "GEOMETRY_MISMATCH")
    assert "only the header is wrong" in mismatch.what
    unmapped = next(p for p in dataset.problems if p.code == "UNMAPPED_LABELS")
    assert "250" in unmapped.what and "voxels" in unmapped.what
    assert all(p.advice for p in dataset.problems)


def test_dicom_objects_are_refused_by_name_and_series_are_told_apart(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    write_series(folder, ct(1), modality="CT")
    for path in list(folder.iterdir()):
        path.rename(folder / f"ct_{path.name}")
    write_series(folder, mr(2), modality="MR", intercept=0)

    def as_segmentation(k: int, ds) -> bool:
        ds.Modality = "SEG"
        return k == 0

    write_series(tmp_path / "objects", labels(), change=as_segmentation, modality="SEG", intercept=0)

    def with_gap(k: int, ds) -> bool:
        return k != 7

    write_series(tmp_path / "gap", ct(5), change=with_gap)
    dataset = scan(tmp_path, tmp_path / "out")
    assert sorted(f.role for f in dataset.files) == ["ct", "ignore", "ignore", "mr"]
    assert {"DICOM_OBJECT", "BAD_SLICES"} <= {p.code for p in dataset.problems}
    assert len(dataset.people) == 1


def test_anonymised_series_of_a_folder_are_one_person_and_say_their_sequence(tmp_path: Path) -> None:
    def anonymise(k: int, ds) -> None:
        ds.PatientID, ds.SeriesDescription = "", "t2_tse_tra Mueller"

    for person in ("anna", "bert"):
        for number in range(2):
            folder = tmp_path / "data" / person / f"{number}"
            write_series(folder, mr(number + 10 * ord(person[0])), change=anonymise, modality="MR", intercept=0)
            for path in list(folder.iterdir()):
                path.rename(tmp_path / "data" / person / f"{number}{path.name}")
    dataset = scan(tmp_path / "data", tmp_path / "out")
    assert [p.id for p in dataset.people] == ["anna", "bert"] and len(dataset.cases) == 4
    assert {f.sequence for f in dataset.files} == {"T2w"}
    assert "Mueller" not in (tmp_path / "out" / "dataset.json").read_text()


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_synthetic_images_are_not_trained_on(tmp_path: Path, suffix: str) -> None:
    notice = f"{SYNTHETIC_NOTICE}; synthetic MR; head-t1w 0.1.0"
    (tmp_path / "data").mkdir()
    write_volume(mr(1), tmp_path / "data" / f"a_t1{suffix}", notice)
    dataset = scan(tmp_path / "data", tmp_path / "out")
    assert {p.code for p in dataset.problems} == {"SYNTHETIC"} and not list(dataset.used_cases())


def test_user_table_says_what_labels_mean(tmp_path: Path) -> None:
    save(ct(1), tmp_path / "data" / "a_ct.nii.gz")
    save(labels().with_array(labels().array_kji.astype(np.int16) + 200), tmp_path / "data" / "a_seg.nii.gz")
    table = tmp_path / "mine.csv"
    rows = "\n".join(f"{v + 200},,{v}" for v in (0, 2, 4, 13, 15))
    table.write_text(f"value,name,class\n{rows}\n")
    out = tmp_path / "out"
    assert "UNMAPPED_LABELS" in {p.code for p in scan(tmp_path / "data", out).problems}
    mapped = scan(tmp_path / "data", out, labels=str(table))
    assert "UNMAPPED_LABELS" not in {p.code for p in mapped.problems}


def test_cancelled_scan_leaves_the_last_one(tmp_path: Path) -> None:
    for person in range(3):
        save(mr(person), tmp_path / "data" / f"P{person:03d}_t1.nii.gz")
    out = tmp_path / "out"
    scan(tmp_path / "data", out)
    before = (out / "dataset.json").read_bytes()
    with pytest.raises(MedUSISError) as caught:
        scan(tmp_path / "data", out, Heard(cancel_after=1))
    assert caught.value.code is ErrorCode.CANCELLED
    assert (out / "dataset.json").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "out"]


def test_nothing_to_scan_and_foreign_output_are_named_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "absent"):
        with pytest.raises(MedUSISError) as caught:
            scan(tmp_path / folder, tmp_path / "out")
        assert caught.value.code is ErrorCode.INPUT_NOT_READABLE
    save(mr(1), tmp_path / "data" / "a_t1.nii.gz")
    with pytest.raises(MedUSISError) as caught:
        scan(tmp_path / "data", tmp_path / "data")
    assert caught.value.code is ErrorCode.BAD_SETTING


def _dies(number: int) -> int:
    if number == 2:
        os._exit(9)
    return number * number


@pytest.mark.parametrize("meanwhile", [False, True])
def test_a_file_that_crashes_its_reader_costs_itself_alone(meanwhile: bool) -> None:
    """Also when its process dies while the answers before it are being used."""
    answers = {}
    for number, answer in for_each(_dies, range(7), 2, Progress(), lambda _: -1):
        answers[number] = answer
        end = time.monotonic() + 60
        while meanwhile and len(answers) == 1 and multiprocessing.active_children() and time.monotonic() < end:
            time.sleep(0.01)  # the others are ended with the one that died
    assert answers == {0: 0, 1: 1, 2: -1, 3: 9, 4: 16, 5: 25, 6: 36}


def test_command_scans_shows_and_checks(hospital: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "MedUSISLib.cli", "dataset"]
    environment = {**os.environ, "MEDUSIS_LOGS": str(tmp_path / "logs")}
    arguments = ["scan", str(hospital), "--out", str(out), "--split", "0.5,0.5,0", "--jobs", "2"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "6 files: 3 CT, 1 MR, 2 label maps" in done.stdout
    log = "".join(p.read_text() for p in (tmp_path / "logs").iterdir())
    assert "P001" not in log and "Mueller" not in log and ".nii" not in log
    shown = CliRunner().invoke(app, ["dataset", "show", str(out)])
    assert shown.exit_code == 0 and "P001" in shown.stdout and "test" in shown.stdout
    figures = json.loads(CliRunner().invoke(app, ["dataset", "show", str(out / "dataset.json"), "--json"]).stdout)
    assert (figures["people"], figures["cases_used"], figures["test_people"]) == (4, 4, 0)
    assert CliRunner().invoke(app, ["dataset", "check", str(out)]).exit_code == 0
    (out / "dataset.json").write_text("{")
    failed = subprocess.run([*command, "check", str(out)], capture_output=True, text=True, env=environment)
    assert failed.returncode == 10 and "INPUT_NOT_READABLE" in failed.stderr and "line 1" in failed.stderr


def test_split_must_be_three_shares() -> None:
    result = CliRunner().invoke(app, ["dataset", "scan", "x", "--out", "y", "--split", "0.5"])
    assert isinstance(result.exception, MedUSISError) and result.exception.code is ErrorCode.BAD_SETTING


@pytest.mark.fault("a file whose name is no text")
@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux alone")
def test_files_whose_names_are_no_text_are_told_and_left_out(tmp_path: Path) -> None:
    save(ct(1), tmp_path / "in" / "P001" / "ct.nii.gz")
    for place in ("P001/\udcff.nii.gz", "\udcfe/ct.nii.gz"):
        path = tmp_path / "in" / place
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((tmp_path / "in" / "P001" / "ct.nii.gz").read_bytes())
    heard = Heard()
    dataset = scan(tmp_path / "in", tmp_path / "out", heard)
    assert [file.path for file in dataset.files] == ["../in/P001/ct.nii.gz"]
    assert "2 files" in dict(heard.warnings)["NAME_NOT_TEXT"]
    assert "no Unicode" in (tmp_path / "out" / "dataset.html").read_text(encoding="utf-8")


@pytest.mark.fault("a pipe in place of an image")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes among its files")
def test_pipes_and_devices_among_the_images_are_told_and_not_waited_for(tmp_path: Path) -> None:
    save(ct(1), tmp_path / "in" / "P001" / "ct.nii.gz")
    for name in ("pipe.nii.gz", "pipe.nii", "pipe.nrrd", "pipe.mha", "pipe.dcm", "pipe"):
        os.mkfifo(tmp_path / "in" / name)
    (tmp_path / "in" / "zero.nii").symlink_to("/dev/zero")
    with time_limit(60):
        dataset = scan(tmp_path / "in", tmp_path / "out")
    for name in ("pipe.nii.gz", "pipe.nii", "pipe.nrrd", "pipe.mha", "zero.nii"):
        assert "DAMAGED" in codes_of(dataset)[name]
    assert [file.role for file in dataset.files if file.path.endswith("ct.nii.gz")] == ["ct"]
