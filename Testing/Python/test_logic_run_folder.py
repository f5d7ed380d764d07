"""The folder with the patient's data: private, gone with the run, and found again when its owner was killed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from MedUSISLib.mrml.run_folder import RunFolder


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_folder_is_for_this_user_alone_and_goes_with_its_content(tmp_path: Path) -> None:
    folder = RunFolder()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    (folder.path / "result").mkdir()
    (folder.path / "result" / "mr.nii.gz").write_text("x")
    folder.close()
    folder.close()
    assert list(tmp_path.iterdir()) == []


def test_folder_of_a_killed_process_is_removed_by_the_next_run(tmp_path: Path) -> None:
    script = (
        "import os, tempfile\n"
        f"tempfile.tempdir = {str(tmp_path)!r}\n"
        "from MedUSISLib.mrml.run_folder import RunFolder\n"
        "folder = RunFolder()\n(folder.path / 'ct.nii').write_text('a patient')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "ct.nii").is_file()
    folder = RunFolder()
    assert not left.exists()
    folder.close()


def test_folder_of_a_run_that_goes_on_stays(tmp_path: Path) -> None:
    first, second = RunFolder(), RunFolder()
    assert first.path.is_dir() and second.path.is_dir()
    first.close()
    second.close()


def test_folder_without_a_lock_stays_while_it_is_young(tmp_path: Path) -> None:
    young, old = tmp_path / "medusis-run-young", tmp_path / "medusis-run-old"
    young.mkdir()
    old.mkdir()
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    RunFolder().close()
    assert young.exists() and not old.exists()


def test_links_and_what_they_lead_to_stay(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "owner").write_text("not ours")
    (tmp_path / "medusis-run-link").symlink_to(precious)
    RunFolder().close()
    assert (precious / "owner").read_text() == "not ours"
