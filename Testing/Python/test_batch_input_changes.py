"""The input of a batch changes after its cases were begun: no result gets the name of another patient."""

from __future__ import annotations

import csv
import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from batch_example import Example, fake_workers

from MedUSISLib.batch import folder
from MedUSISLib.batch.case import BatchCase
from MedUSISLib.batch.folder import OWNER_NAME, case_folder, claimed
from MedUSISLib.batch.grids import is_copy
from MedUSISLib.batch.settling import changed_since


@pytest.fixture(scope="module", autouse=True)
def no_network() -> Iterator[None]:
    with fake_workers():
        yield


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return Example(tmp_path)


def key(example: Example) -> dict[str, tuple[str, str]]:
    """Id and name of the CT of each case, as key.csv has them."""
    with (example.out / "key.csv").open(encoding="utf-8") as stream:
        return {row["case"]: (row["input"], Path(row["ct"]).name) for row in csv.DictReader(stream)}


def edit_table(example: Example, before: str, after: str) -> None:
    table = example.folder / "cases.csv"
    assert before in table.read_text(encoding="utf-8")
    table.write_text(table.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")


def warnings(example: Example) -> dict[str, str]:
    return dict(example.listener.warnings)


def test_a_result_keeps_the_files_it_was_made_from_when_a_row_is_corrected(example: Example) -> None:
    example.write(["a", "b"])
    example.run()
    edit_table(example, "DOE_JANE_a,DOE_JANE/a_ct", "DOE_JANE_a,DOE_JANE/b_ct")
    outcome = example.run()
    assert outcome.done == 2 and key(example)["case-0001"] == ("DOE_JANE_a", "a_ct.nii.gz")
    assert "1 case(s) that are done (case-0001)" in warnings(example)["INPUT_CHANGED"]
    assert "DOE" not in warnings(example)["INPUT_CHANGED"]

    shutil.rmtree(case_folder(example.out, 1))
    outcome = example.run()
    assert outcome.done == 2 and key(example)["case-0001"] == ("DOE_JANE_a", "b_ct.nii.gz")
    assert "INPUT_CHANGED" not in warnings(example) and example.notes("written") == [1, 2, 1]


def test_files_that_were_written_after_their_result_are_told(example: Example) -> None:
    example.write(["a", "b"])
    example.run()
    example.run()
    assert not warnings(example)
    later = time.time() + 60
    os.utime(example.inputs / "b_seg.nii.gz", (later, later))
    assert example.run().done == 2
    assert "1 case(s) that are done (case-0002)" in warnings(example)["INPUT_CHANGED"]


def test_of_a_folder_files_that_come_in_are_told_and_nothing_that_a_file_manager_leaves(tmp_path: Path) -> None:
    (tmp_path / "IM1").touch()
    case, began = BatchCase("a", tmp_path, None), datetime.now(UTC) + timedelta(seconds=60)
    later = began.timestamp() + 60
    assert not changed_since(case, began)
    for name in (".DS_Store", "Thumbs.db", "IM2"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (later, later))
        os.utime(tmp_path, (later, later))
        assert changed_since(case, began) == (name == "IM2")
    assert not changed_since(BatchCase("b", tmp_path / "absent", None), began)


def test_a_case_that_was_taken_out_of_the_input_is_not_done_and_comes_back_with_it(example: Example) -> None:
    example.write(["disk-a", "disk-b"])
    with pytest.raises(Exception, match="DISK_FULL"):
        example.run()
    edit_table(example, "DOE_JANE_disk-b,", "#DOE_JANE_disk-b,")
    (example.inputs / "space").touch()
    outcome = example.run()
    assert (outcome.done, outcome.skipped) == (1, 1) and example.notes("written") == [1]
    assert example.rows()["disk-b"].message == "the input does not hold this case any more"
    edit_table(example, "#DOE_JANE_disk-b,", "DOE_JANE_disk-b,")
    outcome = example.run()
    assert (outcome.done, outcome.skipped) == (2, 0) and example.notes("written") == [1, 2]


def test_copies_are_told_from_label_maps_that_differ_in_one_place(tmp_path: Path) -> None:
    one, other, same = (tmp_path / name for name in ("one.nii", "other.nii", "same.nii"))
    content = bytearray(4 << 20)
    one.write_bytes(content)
    same.write_bytes(content)
    content[1 << 17] = 1  # between two of the pieces that are compared first
    other.write_bytes(content)
    assert is_copy(one, same) and not is_copy(one, other) and not is_copy(one, tmp_path / "absent.nii")


def test_a_claim_stays_young_while_the_batch_waits_for_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "BEAT_S", 0.01)
    with claimed(tmp_path):
        owner = tmp_path / OWNER_NAME
        os.utime(owner, (0, 0))
        end = time.monotonic() + 30
        while owner.stat().st_mtime < 1 and time.monotonic() < end:
            time.sleep(0.01)
        assert owner.stat().st_mtime > 1
    assert not owner.exists()
