"""A results folder appears all at once or not at all, and never costs the user a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.leftovers import WORKSPACE_VARIABLE, remove_leftovers, temporary
from MedUSISLib.output_directory import atomic_output_directory, is_medusis_result, written_files


def write_result(out: Path, content: str = "1", overwrite: bool = False, name: str = "mr.nii.gz") -> None:
    with atomic_output_directory(out, overwrite) as partial:
        (partial / name).write_text(content)


def visible(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_result_appears_only_at_the_end(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with atomic_output_directory(out) as partial:
        assert partial.stat().st_mode & 0o077 == 0
        (partial / "mr.nii.gz").write_text("1")
        assert not out.exists()
    assert (out / "mr.nii.gz").read_text() == "1"
    assert visible(out.parent) == ["out"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_failed_run_leaves_nothing(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), atomic_output_directory(tmp_path / "out") as partial:
        (partial / "half").write_text("x")
        raise failure()
    assert visible(tmp_path) == []


def test_failed_run_keeps_the_earlier_result(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_result(out, "good")
    with pytest.raises(ValueError), atomic_output_directory(out) as partial:
        (partial / "mr.nii.gz").write_text("bad")
        raise ValueError
    assert (out / "mr.nii.gz").read_text() == "good"


def test_earlier_result_is_replaced_without_asking(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_result(out, name="noise_spread.nii.gz")
    assert is_medusis_result(out)
    write_result(out, "2")
    assert visible(out) == [".medusis-result.json", "mr.nii.gz"]
    assert visible(tmp_path) == ["out"]


def test_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_result(tmp_path / "out")
    assert (tmp_path / "out" / "mr.nii.gz").is_file()


def test_folder_with_foreign_files_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_result(out)
    (out / "my notes.txt").write_text("precious")
    with pytest.raises(MedUSISError) as raised:
        write_result(out, "2")
    assert raised.value.code is ErrorCode.BAD_SETTING
    assert str(tmp_path) not in str(raised.value)
    assert (out / "mr.nii.gz").read_text() == "1"


def test_overwrite_keeps_files_that_medusis_did_not_write(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_result(out)
    (out / "my notes.txt").write_text("precious")
    write_result(out, "2", overwrite=True)
    assert (out / "my notes.txt").read_text() == "precious"
    assert (out / "mr.nii.gz").read_text() == "2"


def test_replacement_that_fails_half_way_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    write_result(out, "good")
    rename = Path.rename

    def fail_into_place(self: Path, target: Path) -> Path:
        if self.parent.name == "new" and Path(target).parent == out.resolve():
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_into_place)
    with pytest.raises(OSError):
        write_result(out, "bad")
    monkeypatch.undo()
    assert (out / "mr.nii.gz").read_text() == "good"
    assert visible(tmp_path) == ["out"]


@pytest.mark.parametrize("renames", [2, 3, 4, 5])
def test_a_kill_while_files_change_places_leaves_no_mixture_and_no_list(tmp_path: Path, renames: int) -> None:
    write = (
        "import os, sys\nfrom pathlib import Path\nfrom MedUSISLib.output_directory import atomic_output_directory\n"
        "rename, left = Path.rename, [%d]\n"
        "def counted(self, target):\n"
        "    left[0] -= 1\n"
        "    return rename(self, target) if left[0] >= 0 else os._exit(9)\n"
        "Path.rename = counted\n"
        "with atomic_output_directory(sys.argv[1]) as new:\n"
        "    [(new / name).write_text('later') for name in ('mr', 'quality')]\n"
    )
    out = tmp_path / "out"
    with atomic_output_directory(out) as new:
        for name in ("mr", "quality"):
            (new / name).write_text("earlier")
    done = subprocess.run([sys.executable, "-c", write % renames, str(out)], check=False)
    assert done.returncode == 9 and written_files(out) == set()
    assert len({path.read_text() for path in out.iterdir()}) <= 1


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(MedUSISError, match="is a file"):
        write_result(tmp_path / "out")


def test_two_runs_cannot_share_a_folder(tmp_path: Path) -> None:
    with atomic_output_directory(tmp_path / "out") as partial:
        (partial / "a").write_text("first")
        with pytest.raises(MedUSISError, match="another MedUSIS run"):
            write_result(tmp_path / "out", "second")
    assert (tmp_path / "out" / "a").read_text() == "first"
    write_result(tmp_path / "out", "third")


def test_remains_of_a_crashed_run_are_cleared_by_the_next(tmp_path: Path) -> None:
    stale = tmp_path / ".out[1].medusis-0123456789ab"
    stale.mkdir()
    (stale / "patient.nii.gz").write_text("x")
    write_result(tmp_path / "out[1]")
    assert visible(tmp_path) == ["out[1]"]


def test_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    write_result(tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "real" / "mr.nii.gz").is_file()


def test_starter_clears_what_a_killed_process_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, half = tmp_path / "workspace", tmp_path / "half"
    workspace.mkdir()
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    with temporary(half):
        pass
    half.mkdir()  # as if the process had been killed inside the block
    (half / "patient.nii.gz").write_text("x")
    remove_leftovers(workspace)
    assert not half.exists()
