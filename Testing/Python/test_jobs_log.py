"""The log can be shown to a stranger."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from MedUSISLib.jobs.log import JobLog, Scrubber, default_log_folder, new_log_file
from MedUSISLib.synthesis.request import SynthesisRequest


@pytest.fixture()
def scrub() -> Scrubber:
    return Scrubber(
        SynthesisRequest(
            ct=Path("/data/Doe Jane/1962-05-01/ct.nii.gz"),
            segmentation=Path("/data/Doe Jane/seg_DOE.nii.gz"),
            out=Path("/results/DOE"),
        )
    )


@pytest.mark.parametrize(
    "line",
    [
        "cannot read /data/Doe Jane/1962-05-01/ct.nii.gz",
        "cannot read '/data/Doe Jane/1962-05-01/slice 1.dcm'",
        'file "/data/Doe Jane/other 1962.nii": bad',
        "wrote /results/DOE/mr.nii.gz in 3 s",
        "seg_DOE.nii.gz has no labels, seg_DOE is empty",
        "unrelated /home/doe/1962/file.nii too",
        r"also C:\Users\doe\1962.nii",
    ],
)
def test_names_and_places_of_inputs_never_show(scrub: Scrubber, line: str) -> None:
    cleaned = scrub(line)
    for secret in ("Doe", "DOE", "doe", "1962", "Jane"):
        assert secret not in cleaned, cleaned


def test_roles_take_their_place(scrub: Scrubber) -> None:
    assert scrub("cannot read /data/Doe Jane/1962-05-01/ct.nii.gz: no") == "cannot read <ct>: no"


def test_lines_of_code_stay_readable(scrub: Scrubber) -> None:
    line = f'  File "{Path(os.__file__)}", line 3, in walk; and 1/2 of http://example.org/a/b'
    assert "os.py" in scrub(line) and "1/2" in scrub(line)
    ours = Path(__file__).parents[2] / "MedUSISLib" / "imaging" / "conform.py"
    assert scrub(f'File "{ours}", line 9') == 'File "MedUSISLib/imaging/conform.py", line 9'


def test_log_is_private_and_old_ones_go(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"medusis-20200101-{number:06}-segment-1.log").write_text("")
    path = new_log_file("segment", tmp_path)
    log = JobLog(path, Scrubber())
    log.write("hello")
    log.close()
    log.write("late words of a thread")
    assert path.stat().st_mode & 0o077 == 0
    assert path.read_text().endswith("hello\n")
    assert len(list(tmp_path.iterdir())) == 30


def test_log_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEDUSIS_LOGS", str(tmp_path))
    assert default_log_folder() == tmp_path
