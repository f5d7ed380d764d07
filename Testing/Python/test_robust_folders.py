"""Temporary files with patient data: for this user alone, gone after use, and after kill -9 with the next start."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from MedUSISLib.errors import MedUSISError
from MedUSISLib.jobs.events import Stage
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.workspace import private_workspace
from MedUSISLib.private_folder import OWNER_LOCK, PrivateFolder, private_folder, remove_abandoned
from MedUSISLib.single_run import single_run


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def killed(script: str) -> None:
    """Run lines of Python that end with the death of their process."""
    done = subprocess.run([sys.executable, "-c", script + "\nimport os; os.kill(os.getpid(), 9)"], check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.fault
def test_folders_are_for_this_user_alone_whatever_the_umask(temporary_folder: Path) -> None:
    before = os.umask(0)
    try:
        with private_folder("x") as one, private_workspace() as other:
            assert [stat.S_IMODE(folder.stat().st_mode) for folder in (one, other)] == [0o700, 0o700]
    finally:
        os.umask(before)
    assert list(temporary_folder.iterdir()) == []


@pytest.mark.fault
def test_what_a_killed_process_left_goes_with_the_next_start(temporary_folder: Path, tmp_path: Path) -> None:
    half = tmp_path / "patients" / ".half-written"
    half.parent.mkdir()
    killed(
        "import os\nfrom pathlib import Path\nfrom MedUSISLib.jobs.workspace import *\n"
        "from MedUSISLib.leftovers import temporary\n"
        "owner = private_workspace()\nos.environ.update(workspace_variables(owner.__enter__()))\n"
        f"writer = temporary(Path({str(half)!r}))\nwriter.__enter__().write_text('a patient')\n"
        f"(Path(os.environ['TMPDIR']) / 'ct.nii').write_text('a patient')\n"
    )
    (left,) = temporary_folder.iterdir()
    assert half.is_file() and (left / "ct.nii").is_file()
    with private_folder() as new:
        assert list(temporary_folder.iterdir()) == [new]
        assert not half.exists(), "what the dead process had written down elsewhere"


@pytest.mark.fault
def test_folders_of_the_living_stay(temporary_folder: Path) -> None:
    with private_workspace() as mine:
        (mine / "ct.nii").write_text("a patient")
        child = subprocess.run(
            [sys.executable, "-c", "from MedUSISLib.private_folder import *; remove_abandoned()"], check=True
        )
        assert child.returncode == 0 and (mine / "ct.nii").is_file()


@pytest.mark.fault
def test_a_job_that_outlives_its_killed_launcher_keeps_its_folder_as_long_as_it_works(temporary_folder: Path) -> None:
    script = (
        "import os, subprocess, sys\nfrom MedUSISLib.jobs.workspace import *\n"
        "owner = private_workspace()\nfolder = owner.__enter__()\n"
        "work = 'import sys, time; from MedUSISLib.jobs.workspace import job_workspace\\n'"
        "'with job_workspace(): print(1, flush=True); sys.stdin.read()'\n"
        "child = subprocess.Popen([sys.executable, '-c', work], env={**os.environ, **workspace_variables(folder)},"
        " stdin=0, stdout=1)\n"
        "import time; time.sleep(60)\n"
    )
    launcher = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert launcher.stdout is not None and launcher.stdin is not None
        assert launcher.stdout.readline() == b"1\n"
        launcher.kill()
        launcher.wait()
        (folder,) = temporary_folder.iterdir()
        PrivateFolder().close()
        assert folder.is_dir(), "the child works in it"
        launcher.stdin.close()
        launcher.stdout.read()  # the child ends
        end = time.monotonic() + 60
        while folder.exists() and time.monotonic() < end:
            PrivateFolder().close()
        assert not folder.exists()
    finally:
        launcher.kill()


@pytest.mark.fault
def test_a_folder_that_only_looks_like_ours_is_never_touched(temporary_folder: Path) -> None:
    mine = temporary_folder / "medusis-results"
    mine.mkdir()
    (mine / "mr.nii.gz").write_text("precious")
    link = temporary_folder / "medusis-link"
    link.symlink_to(mine)
    os.utime(mine, (time.time() - 1e6,) * 2)
    PrivateFolder().close()
    assert (mine / "mr.nii.gz").read_text() == "precious" and link.is_symlink()


@pytest.mark.fault
def test_a_list_that_came_out_of_an_archive_removes_nothing(temporary_folder: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    foreign = temporary_folder / "medusis-from-an-archive"
    foreign.mkdir()
    (foreign / OWNER_LOCK).touch()
    lines = [json.dumps(content) for content in (str(precious), [0, str(precious)], [None, str(precious)], [7], {})]
    (foreign / "leftovers.jsonl").write_text("\n".join(lines), encoding="utf-8")
    PrivateFolder().close()
    assert precious.is_dir() and not foreign.exists()


@pytest.mark.fault
def test_nobody_gets_a_folder_while_it_is_swept(temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has just made its lock file, and locks it only now, must find it held."""
    killed("from MedUSISLib.private_folder import *\nfolder = PrivateFolder()")
    (left,) = temporary_folder.iterdir()
    refused = []

    def looked_at(path: Path) -> None:
        with pytest.raises(MedUSISError), single_run(path / OWNER_LOCK):
            pass
        refused.append(path)

    monkeypatch.setattr("MedUSISLib.private_folder.remove_leftovers", looked_at)
    remove_abandoned()
    assert refused == [left] and not left.exists()


@pytest.mark.fault
def test_a_job_killed_together_with_its_launcher_leaves_nothing_after_the_next_start(
    temporary_folder: Path, tmp_path: Path
) -> None:
    """As the system does when memory runs out, or a user who ends all of a terminal: nobody is left to tidy up."""
    out = tmp_path / "out"
    job = (
        "from MedUSISLib.output_directory import atomic_output_directory\n"
        f"with atomic_output_directory({str(out)!r}) as half:\n"
        "    (half / 'mr.nii.gz').write_text('a patient'); print('ready', flush=True)\n"
        "    import time; time.sleep(60)\n"
    )
    script = (
        "import os, subprocess, sys\nfrom MedUSISLib.jobs.workspace import *\n"
        "owner = private_workspace()\nfolder = owner.__enter__()\n"
        f"subprocess.run([sys.executable, '-c', {job!r}], env={{**os.environ, **workspace_variables(folder)}})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.read()  # until the last of them has let go of it
    assert [path.name[:5] for path in tmp_path.glob(".out*")] != [] and not out.exists()
    PrivateFolder().close()
    assert list(tmp_path.glob(".out*")) == [] and list(temporary_folder.iterdir()) == []


def test_the_workspace_of_a_launcher_is_private_and_gone(temporary_folder: Path, tmp_path: Path) -> None:
    from MedUSISLib.jobs.specification import JobSpecification

    modes = []
    launcher = Launcher(JobSpecification(kind="segment", parameters={"ct": str(tmp_path / "no"), "out": "x"}))
    for event in launcher.events():
        if isinstance(event, Stage) and launcher.workspace is not None:
            modes.append(stat.S_IMODE(launcher.workspace.stat().st_mode))
    assert set(modes) <= {0o700}
    assert list(temporary_folder.iterdir()) == []
