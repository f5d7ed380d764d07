"""The manifest of a batch: private, whole or not there, and damage in it has a name."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from MedUSISLib.batch import network_drive
from MedUSISLib.batch.case import BatchCase, CaseProblem, FoundCases
from MedUSISLib.batch.folder import MANIFEST_NAME
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.preparing import differences
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.states import CaseState
from MedUSISLib.errors import MedUSISError

PROBLEM = CaseProblem("NO_CT", "DOE_JANE", "no CT is in it", "look at it")


def found(*keys: str) -> FoundCases:
    cases = tuple(BatchCase(key, Path("/in") / key, None if key == "bare" else Path("/in/seg")) for key in keys)
    return FoundCases(cases, (PROBLEM,), "files")


def request(out: Path, **settings: object) -> BatchRequest:
    return BatchRequest.model_validate({"input": "/in", "out": out, **settings})


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return Manifest.create(tmp_path, request(tmp_path, passes=3), found("a", "bare"), {"version": "1"})


def test_everything_is_kept_for_this_user_alone(manifest: Manifest, tmp_path: Path) -> None:
    began = datetime.now(UTC)
    manifest.change(2, state=CaseState.FAILED, code="NOT_A_CT", started=began, seconds=1.5, review=True, attempts=2)
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name
    manifest.close()
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST_NAME]
    with Manifest.open(tmp_path, read_only=True) as again:
        first, second = again.rows()
        assert (first.state, first.name, first.key) == (CaseState.WAITING, "case-0001", "a")
        assert (second.started, second.seconds, second.review, second.attempts) == (began, 1.5, True, 2)
        assert again.case(2) == BatchCase("bare", Path("/in/bare"), None)
        assert again.counts() == {CaseState.WAITING: 1, CaseState.FAILED: 1}
        assert again.problems() == (PROBLEM,) and again.request.passes == 3 and again.kind == "files"
        assert again.fact("version") == "1" and again.fact("nothing", 5) == 5


def test_new_cases_get_the_next_numbers_and_known_ones_their_new_places(manifest: Manifest) -> None:
    moved = BatchCase("bare", Path("/in/bare"), Path("/in/new_seg"))
    taken = manifest.take_over(FoundCases((BatchCase("c", Path("/in/c"), None), moved), (), "files"))
    assert taken == (1, ()) and manifest.absent == {1}
    assert [(row.number, row.key) for row in manifest.rows()] == [(1, "a"), (2, "bare"), (3, "c")]
    assert manifest.case(2) == moved and manifest.problems() == ()


def test_a_second_one_is_not_made_over_the_first(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(MedUSISError, match="holds a batch already"):
        Manifest.create(tmp_path, request(tmp_path), found("a"))


def test_a_change_that_fails_leaves_all_as_it_was(manifest: Manifest) -> None:
    with pytest.raises(TypeError):
        manifest.change(1, key="b")
    with pytest.raises(MedUSISError):
        manifest.change_all([1, 2], state=None)
    assert manifest.counts() == {CaseState.WAITING: 2}


def test_a_reader_cannot_write(manifest: Manifest, tmp_path: Path) -> None:
    with Manifest.open(tmp_path, read_only=True) as reader, pytest.raises(MedUSISError):
        reader.change(1, state=CaseState.DONE)


def test_on_a_network_drive_nothing_is_shared_but_the_file(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write-ahead log is read through memory that all readers share: two computers have none in common."""
    manifest.close()
    nfs = SimpleNamespace(mountpoint=str(tmp_path.resolve()), fstype="nfs4", opts="rw,vers=4.2")
    monkeypatch.setattr(network_drive.psutil, "disk_partitions", lambda all: [nfs])
    with Manifest.open(tmp_path) as writer, Manifest.open(tmp_path, read_only=True) as reader:
        for state in (CaseState.READING, CaseState.DONE):
            writer.change(1, state=state)
            assert reader.row(1).state is state and [path.name for path in tmp_path.iterdir()] == [MANIFEST_NAME]


def test_what_a_killed_writer_left_in_a_journal_is_taken_back_by_whoever_reads(
    manifest: Manifest, tmp_path: Path
) -> None:
    manifest.close()
    words = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE');"
        "c.execute('PRAGMA cache_size=1'); c.execute(\"UPDATE cases SET state = 'done'\");"
        "[c.execute('INSERT INTO problems (code) VALUES (?)', ('x' * 500,)) for _ in range(1000)]; os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", words, str(tmp_path / MANIFEST_NAME)], check=False)
    assert (tmp_path / f"{MANIFEST_NAME}-journal").is_file()
    with Manifest.open(tmp_path, read_only=True) as reader:
        assert reader.counts() == {CaseState.WAITING: 2}
        with pytest.raises(MedUSISError):
            reader.change(1, state=CaseState.DONE)


def test_a_folder_without_one_is_no_batch(tmp_path: Path) -> None:
    with pytest.raises(MedUSISError, match="BAD_SETTING: the folder holds no batch"):
        Manifest.open(tmp_path, read_only=True)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + b"x" * 200, b"no database"])
def test_a_damaged_one_has_a_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST_NAME).write_bytes(content)
    with pytest.raises(MedUSISError, match="INPUT_NOT_READABLE"):
        Manifest.open(tmp_path)


def test_one_of_another_version_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    manifest.remember(schema_version=99)
    manifest.close()
    with pytest.raises(MedUSISError, match="another version of MedUSIS"):
        Manifest.open(tmp_path, read_only=True)


def test_nobody_waits_for_a_reader_that_stays(manifest: Manifest, tmp_path: Path) -> None:
    reader = sqlite3.connect(tmp_path / MANIFEST_NAME, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM cases").fetchall()
    manifest.change(1, state=CaseState.DONE)
    assert reader.execute("SELECT state FROM cases WHERE number = 1").fetchone() == ("waiting",)
    reader.close()
    assert manifest.row(1).state is CaseState.DONE


def test_the_file_alone_is_whole_while_a_window_has_it_open(manifest: Manifest, tmp_path: Path) -> None:
    with Manifest.open(tmp_path, read_only=True) as window:
        window.rows()
        manifest.change(1, state=CaseState.DONE)
        manifest.close()
        copy = tmp_path / "copy"
        copy.mkdir()
        shutil.copy(tmp_path / MANIFEST_NAME, copy)
    with Manifest.open(copy, read_only=True) as alone:
        assert alone.row(1).state is CaseState.DONE


def test_differences_name_the_setting_and_no_file(tmp_path: Path) -> None:
    before = request(tmp_path, labels="/data/DOE_JANE/table.csv")
    now = request(tmp_path, labels="head", part="1/2", segment="head-seg", workers=3, device="cpu")
    assert differences(before, now) == ["labels (another file)", "part was None, is 1/2"]
    other = now.model_copy(update={"segment": "totalsegmentator", "input": Path("/elsewhere")})
    assert differences(now, other) == ["input (another folder or table)", "segment was head-seg, is totalsegmentator"]
