"""A batch does every case, tries again what is worth it, and no case stops the rest."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from batch_example import Example, fake_workers

from MedUSISLib.batch import pools
from MedUSISLib.batch.folder import case_folder
from MedUSISLib.batch.local_pool import LocalPool
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.errors import MedUSISError
from MedUSISLib.progress import Wish
from MedUSISLib.stillness import LIMIT_VARIABLE


@pytest.fixture(scope="module", autouse=True)
def no_network() -> Iterator[None]:
    with fake_workers():
        yield


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return Example(tmp_path)


def test_all_cases_get_their_folder_and_nothing_else_stays(example: Example) -> None:
    example.write(["a", "b-review", "c", "d"])
    outcome = example.run()
    assert (outcome.cases, outcome.done, outcome.failed, outcome.review) == (4, 4, 0, 1)
    assert set(example.states().values()) == {"done"} and example.listener.steps[-1] == (4, 4)
    assert sorted(path.name for path in (example.out / "cases").iterdir()) == [f"case-000{n}" for n in range(1, 5)]
    assert {path.name for path in example.out.iterdir()} == {
        "cases", "key.csv", "log.txt", "manifest.sqlite", "quality.csv", "summary.html"
    }  # fmt: skip
    for name in ("manifest.sqlite", "key.csv", "log.txt"):
        assert (example.out / name).stat().st_mode & 0o077 == 0
    rows = list(csv.DictReader((example.out / "key.csv").open()))
    assert rows[1]["case"] == "case-0002" and rows[1]["input"] == "DOE_JANE_b-review"


def test_nothing_of_a_patient_is_in_log_and_pages(example: Example) -> None:
    example.write(["a", "bad", "fault"])
    example.run()
    assert "a library talks of" in (example.out / "log.txt").read_text()
    for name in ("log.txt", "summary.html", "quality.csv"):
        assert "DOE" not in (example.out / name).read_text()
    assert not any("DOE" in message for _, message in example.listener.warnings)


def test_the_same_again_does_nothing(example: Example) -> None:
    example.write(["a", "bad"])
    first, second = example.run(), example.run()
    assert (first.done, first.failed) == (second.done, second.failed) == (1, 1)
    assert example.notes("reading") == [1, 2]


def test_a_bad_case_fails_at_once_and_the_others_are_done(example: Example) -> None:
    example.write(["a", "bad-1", "b", "bad-2", "c"])
    outcome = example.run()
    assert (outcome.done, outcome.failed) == (3, 2)
    row = example.rows()["bad-1"]
    assert (row.code, row.message, row.attempts) == ("NOT_A_CT", "the CT has no air", 1)
    assert ("CASE_FAILED", "case-0002: NOT_A_CT: the CT has no air") in example.listener.warnings


def test_failed_cases_are_tried_again_only_when_that_is_asked_for(example: Example) -> None:
    example.write(["a", "bad"])
    example.run()
    assert example.run(retry_failed=True).failed == 1
    assert example.notes("reading") == [1, 2, 2]


def test_a_case_that_kills_its_worker_fails_alone(example: Example) -> None:
    example.write(["a", "b", "die", "c", "d", "e"])
    outcome = example.run()
    assert (outcome.done, outcome.failed) == (5, 1)
    row = example.rows()["die"]
    assert row.attempts == 3 and row.message == "its worker died (signal SIGKILL)"
    assert max(row.attempts for name, row in example.rows().items() if name != "die") <= 2
    written = example.notes("written")  # the one beside it may have died between writing and noting that
    assert len(set(written)) == len(written) and set(written) <= {1, 2, 4, 5, 6}


def test_a_case_whose_worker_died_once_is_done(example: Example) -> None:
    example.write(["once-die", "a"])
    assert example.run().done == 2 and example.rows()["once-die"].attempts == 2


def test_a_case_without_memory_is_tried_again_alone(example: Example) -> None:
    example.write(["memory", "a"])
    assert example.run().done == 2 and example.rows()["memory"].attempts == 3
    notes = (example.inputs / "notes").read_text()
    assert "1 computing 3 alone" in notes and "1 computing 1 beside" in notes


def test_our_own_fault_is_tried_once_more(example: Example) -> None:
    example.write(["fault", "a"])
    outcome = example.run()
    row = example.rows()["fault"]
    assert (outcome.done, row.code, row.attempts) == (1, "INTERNAL", 2)


def test_without_retries_nothing_is_tried_again(example: Example) -> None:
    example.write(["fault", "memory", "a"])
    example.run(retries=0)
    assert {name: row.attempts for name, row in example.rows().items()} == {"fault": 1, "memory": 1, "a": 1}


def test_a_case_that_hangs_is_ended_and_its_neighbours_lose_nothing(example: Example) -> None:
    example.write(["a", "hang", "b", "c"])
    outcome = example.run(case_timeout_s=3.0, retries=1)  # a busy machine does the others in less
    rows = example.rows()
    assert (outcome.done, rows["hang"].code, rows["hang"].attempts) == (3, "TIMED_OUT", 2)
    assert [rows[name].attempts for name in ("a", "b", "c")] == [1, 1, 1]


def test_a_worker_that_does_nothing_any_more_is_ended_without_a_time_out(
    example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "3")
    example.write(["a", "hang", "b"])
    outcome = example.run(case_timeout_s=0, retries=0)
    assert (outcome.done, example.rows()["hang"].message) == (2, "its worker did nothing at all for 3 s")


def test_a_full_disk_ends_the_batch_and_the_same_command_goes_on(example: Example) -> None:
    example.write(["a", "disk", "b", "c"])
    with pytest.raises(MedUSISError, match="DISK_FULL"):
        example.run()
    assert example.states()["disk"] == "waiting" and example.rows()["disk"].attempts == 0
    (example.inputs / "space").touch()
    assert example.run().done == 4
    assert sorted(example.notes("written")) == [1, 2, 3, 4]


def test_a_ct_without_segmentation_is_skipped_until_something_segments_it(example: Example) -> None:
    example.write(["a", "without"])
    outcome = example.run()
    assert (outcome.done, outcome.skipped, example.rows()["without"].code) == (1, 1, "EMPTY_SEGMENTATION")
    assert example.run(segment="head-seg").done == 2


def test_other_settings_are_refused_by_name(example: Example) -> None:
    example.write(["a"])
    example.run()
    with pytest.raises(MedUSISError, match="passes was 8, is 4; seed was 0, is 3"):
        example.run(passes=4, seed=3)
    assert example.run(workers=2, retries=0, case_timeout_s=50).done == 1


def test_new_cases_are_added_and_lost_results_made_again(example: Example) -> None:
    example.write(["a", "b"])
    example.run()
    (case_folder(example.out, 1) / "mr.nii.gz").unlink()
    example.write(["new", "a", "b"])
    assert example.run().done == 3
    assert example.notes("written") == [1, 2, 1, 3] and example.rows()["new"].number == 3
    assert {code for code, _ in example.listener.warnings} == {"NEW_CASES", "RESULTS_GONE"}


def test_a_result_without_the_manifests_word_is_taken_when_it_is_whole(example: Example) -> None:
    example.write(["a", "b", "c"])
    example.run()
    with Manifest.open(example.out) as manifest:
        manifest.change_all([1, 2, 3], state="writing")
    damaged = case_folder(example.out, 2) / "mr.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    quality = case_folder(example.out, 3) / "quality.json"
    quality.write_text("{")
    assert example.run().done == 3
    assert sorted(example.notes("written")) == [1, 2, 2, 3, 3]


def test_a_folder_with_other_things_is_refused(example: Example) -> None:
    example.write(["a"])
    example.out.mkdir()
    (example.out / "thesis.txt").touch()
    with pytest.raises(MedUSISError, match="holds other things"):
        example.run()


@pytest.mark.parametrize(("wish", "word"), [(Wish.PAUSE, "paused"), (Wish.STOP, "stopped")])
def test_a_paused_or_stopped_batch_goes_on(example: Example, wish: Wish, word: str) -> None:
    example.write([f"{n}-slow" for n in range(6)])
    example.listener.wanted, example.listener.wanted_after = wish, 1
    with pytest.raises(MedUSISError, match=rf"CANCELLED: {word}: \d of 6"):
        example.run()
    states = list(example.states().values())
    assert "waiting" in states and set(states) == {"waiting", "done"}
    assert all(row.attempts == (row.state == "done") for row in example.rows().values())
    assert (example.out / "summary.html").is_file()
    example.listener.wanted = None
    assert example.run().done == 6
    assert sorted(example.notes("written")) == [1, 2, 3, 4, 5, 6]


def test_a_batch_can_be_finished_early(example: Example) -> None:
    example.write([f"{n}-slow" for n in range(6)])
    example.listener.wanted, example.listener.wanted_after = Wish.FINISH, 1
    outcome = example.run()
    assert 1 <= outcome.done < 6 and outcome.waiting == 6 - outcome.done


def test_workers_that_never_begin_end_the_batch_and_cost_no_case(
    example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    example.write(["a", "b"])
    never = (sys.executable, "-c", "import time; time.sleep(600)")
    with monkeypatch.context() as patch:
        patch.setattr(pools, "LocalPool", partial(LocalPool, command=never))
        patch.setenv(LIMIT_VARIABLE, "1")
        with pytest.raises(MedUSISError, match="workers end before they begin a case"):
            example.run()
    assert set(example.states().values()) == {"waiting"}
    assert example.run().done == 2 and {row.attempts for row in example.rows().values()} == {1}
