"""Batches as the window sees them: plans, states, lists and runs, without a window."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from batch_doubles import BEGUN, make_batch, set_state
from fine_tune_doubles import FakeRunStore

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.batch_found import Found
from MedUSISLib.mrml.batch_list import BatchList
from MedUSISLib.mrml.batch_logic import BatchSettings, check, default_out, specification
from MedUSISLib.mrml.batch_standing import batch_warnings, standing
from MedUSISLib.mrml.batch_view import BatchCounts, BatchView, counts_of
from MedUSISLib.mrml.fine_tune_runs import RunList
from MedUSISLib.mrml.settings import SynthesisSettings
from MedUSISLib.runs.status import RunState

ALL_WELL = Found("bids", 3, 0, ())


@pytest.fixture
def planned(tmp_path: Path) -> BatchSettings:
    (tmp_path / "cts").mkdir()
    return BatchSettings(tmp_path / "cts", tmp_path / "out")


def codes(findings) -> list[str]:
    return [finding.code for finding in findings]


class TestPlan:
    def test_the_job_has_the_settings_of_the_window(self, planned: BatchSettings) -> None:
        synthesis = SynthesisSettings("tiny", "window", 3, 1, 1.5, 7, "cpu", 4, False)
        settings = replace(planned, synthesis=synthesis, segment="head-seg", labels="synthseg", workers=2)
        request = specification(settings).request()
        chosen = request.model_dump(include={"generator", "mode", "passes", "noise_samples", "truncation", "seed"})
        assert chosen == {
            "generator": "tiny", "mode": "window", "passes": 3, "noise_samples": 1, "truncation": 1.5, "seed": 7,
        }  # fmt: skip
        assert (request.device, request.batch_size, request.allow_cpu, request.workers) == ("cpu", 4, False, 2)
        assert (request.segment, request.labels) == ("head-seg", "synthseg")
        assert (request.input, request.out) == (settings.source, settings.out)

    def test_what_is_left_to_the_batch_is_left_out(self, planned: BatchSettings) -> None:
        request = specification(planned).request()
        assert (request.segment, request.labels, request.workers, request.batch_size) == (None, None, None, None)

    def test_nothing_stands_against_a_start_that_may_begin(self, planned: BatchSettings) -> None:
        assert check(planned, True, ALL_WELL) == check(planned, True, None) == []

    def test_what_is_missing_is_said(self, planned: BatchSettings) -> None:
        assert codes(check(BatchSettings(), False, None)) == ["SOURCE", "OUT", "GENERATOR"]
        assert codes(check(replace(planned, source=planned.source / "gone"), True, None)) == ["SOURCE_GONE"]
        assert codes(check(planned, True, Found("files", 0, 0, ()))) == ["NO_CASES"]

    def test_a_folder_that_holds_something_is_refused(self, planned: BatchSettings, tmp_path: Path) -> None:
        make_batch(planned.out, ["waiting"]).close()
        (finding,) = check(planned, True, None)
        assert finding.code == "OUT_IN_USE" and "go on" in finding.hint
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "thesis.txt").touch()
        assert codes(check(replace(planned, out=tmp_path / "full"), True, None)) == ["OUT_NOT_EMPTY"]
        (tmp_path / "empty").mkdir()
        assert check(replace(planned, out=tmp_path / "empty"), True, None) == []

    def test_cts_without_segmentation_block_only_when_there_is_nothing_else(self, planned: BatchSettings) -> None:
        (some,) = check(planned, True, Found("bids", 3, 1, ()))
        (all_of_them,) = check(planned, True, Found("bids", 3, 3, ()))
        assert not some.blocking and "1 CT without" in some.message and all_of_them.blocking
        assert check(replace(planned, segment="head-seg"), True, Found("bids", 3, 3, ())) == []

    def test_the_folder_for_results_is_new_and_beside_the_data(self, tmp_path: Path) -> None:
        (tmp_path / "cts").mkdir()
        first = default_out(tmp_path / "cts")
        assert first == tmp_path / "cts - synthetic MR"
        first.mkdir()
        second = default_out(tmp_path / "cts")
        assert second.name == "cts - synthetic MR 2" and default_out(tmp_path / "cts", {second}).name.endswith("3")
        (tmp_path / "cases.v2.csv").touch()
        assert default_out(tmp_path / "cases.v2.csv").name == "cases - synthetic MR"


class TestView:
    def test_only_what_has_changed_is_named(self, tmp_path: Path) -> None:
        manifest = make_batch(tmp_path / "out", ["done", "waiting", "waiting"])
        view = BatchView(tmp_path / "out")
        assert view.look().changed == {0, 1, 2}
        assert view.look().changed == frozenset()
        set_state(manifest, 2, "failed")
        look = view.look()
        assert look.changed == {1} and look.lines[1].message == "the CT is not a CT"
        view.close()

    def test_a_case_that_is_worked_on_has_a_running_clock(self, tmp_path: Path) -> None:
        make_batch(tmp_path / "out", ["computing", "done"])
        view = BatchView(tmp_path / "out")
        at = BEGUN + timedelta(seconds=60 + 30)
        assert view.look(at).lines[0].seconds == 30.0
        later = view.look(at + timedelta(seconds=1))
        assert later.changed == {0} and later.lines[0].seconds == 31.0 and later.lines[1].seconds == 95.0
        view.close()

    def test_cases_that_are_found_later_appear(self, tmp_path: Path) -> None:
        from MedUSISLib.batch.case import BatchCase, FoundCases

        manifest = make_batch(tmp_path / "out", ["done"])
        view = BatchView(tmp_path / "out")
        view.look()
        manifest.take_over(FoundCases((BatchCase("new", tmp_path / "new.nii.gz", None),), (), "bids"))
        assert view.look().changed == {1}
        view.close()

    def test_states_are_counted_and_sorted_into_tables(self, tmp_path: Path) -> None:
        states = ["done", "review", "failed", "skipped", "reading", "waiting"]
        make_batch(tmp_path / "out", states)
        look = BatchView(tmp_path / "out").look()
        counts = counts_of(look.lines)
        assert (counts.total, counts.done, counts.failed, counts.skipped, counts.working, counts.review) == (
            6, 2, 1, 1, 1, 1,
        )  # fmt: skip
        assert (counts.ended, counts.open) == (4, 2)
        kept = {
            name: [line.number for line in look.lines if line.belongs_to(name)]
            for name in ("all", "review", "failed", "open", "done")
        }
        assert kept == {"all": [1, 2, 3, 4, 5, 6], "review": [2], "failed": [3, 4], "open": [5, 6], "done": [1, 2]}

    def test_another_try_is_said(self, tmp_path: Path) -> None:
        make_batch(tmp_path / "out", ["waiting"]).change(1, attempts=1)
        assert BatchView(tmp_path / "out").look().lines[0].title == "waiting for another try"

    def test_what_to_do_with_a_case_names_no_option_of_the_command_line(self, tmp_path: Path) -> None:
        manifest = make_batch(tmp_path / "out", ["failed", "skipped"])
        manifest.change(1, code="INTERNAL", hint="the memory was short, perhaps: fewer --workers")
        manifest.change(2, hint="give --segment head-seg (or totalsegmentator), or a table that names one")
        failed, skipped = (line.hint for line in BatchView(tmp_path / "out").look().lines)
        assert "Retry failed" in failed and "No segmentation" in skipped and "--" not in failed + skipped

    def test_a_folder_without_a_batch_is_a_named_error(self, tmp_path: Path) -> None:
        with pytest.raises(MedUSISError) as raised:
            BatchView(tmp_path)
        assert raised.value.code is ErrorCode.BAD_SETTING


def looked(tmp_path: Path, *states: str):
    make_batch(tmp_path / "states", list(states)).close()
    return BatchView(tmp_path / "states").look().counts


class TestStanding:
    def test_all_done(self, tmp_path: Path) -> None:
        found = standing(looked(tmp_path, "done", "done"))
        assert (found.level, found.title, found.actions) == ("ok", "Finished", frozenset())

    def test_done_with_cases_to_be_looked_at(self, tmp_path: Path) -> None:
        found = standing(looked(tmp_path, "done", "review"))
        assert found.level == "look" and "1 should be looked at first" in found.sentence

    def test_some_went_wrong(self, tmp_path: Path) -> None:
        found = standing(looked(tmp_path, "done", "failed", "skipped"))
        assert found.title == "Finished" and found.actions == {"retry"}
        assert found.sentence == "1 case done, 1 went wrong, 1 left out."

    def test_interrupted_by_a_power_cut(self, tmp_path: Path) -> None:
        found = standing(looked(tmp_path, "done", "computing", "waiting"))
        assert found.title == "Interrupted" and found.actions == {"go on"} and "2 cases not done" in found.sentence

    def test_somebody_elses(self, tmp_path: Path) -> None:
        found = standing(looked(tmp_path, "done", "waiting"), worked_on=True)
        assert found.title == "Working" and found.actions == frozenset() and "command line" in found.sentence

    @pytest.mark.parametrize(
        ("state", "title", "actions"),
        [
            (RunState.QUEUED, "Waiting", {"pause", "stop"}),
            (RunState.RUNNING, "Working", {"pause", "stop"}),
            (RunState.PAUSING, "Pausing", {"stop"}),
            (RunState.STOPPING, "Ending", set()),
            (RunState.PAUSED, "Paused", {"go on"}),
            (RunState.STOPPED, "Stopped", {"go on"}),
            (RunState.FAILED, "Went wrong", {"go on"}),
        ],
    )
    def test_its_run(self, tmp_path: Path, state: RunState, title: str, actions: set[str]) -> None:
        counts = looked(tmp_path, "done", "waiting")
        store = FakeRunStore()
        store.add(tmp_path / "states", kind="batch", state=state, message="no space" if state == "failed" else "")
        (line,) = RunList(lambda: store, "batch").refresh()
        found = standing(counts, line, worked_on=state.active)
        assert (found.title, found.actions) == (title, actions)

    def test_a_batch_that_could_not_begin_says_why(self, tmp_path: Path) -> None:
        store = FakeRunStore()
        store.add(tmp_path / "x", kind="batch", state=RunState.FAILED, message="no CT was found", hint="choose others")
        (line,) = RunList(lambda: store, "batch").refresh()
        found = standing(BatchCounts(), line, begun=False)
        assert found.sentence == "no CT was found; choose others" and found.actions == {"go on"}

    def test_what_the_run_has_to_say_is_said_once_and_cases_stand_in_their_rows(self, tmp_path: Path) -> None:
        warnings = (("CASE_FAILED", "case-0001: NOT_A_CT"), ("MEMORY_TIGHT", "2 GB are free"), ("X", "2 GB are free"))
        store = FakeRunStore()
        store.add(tmp_path / "x", kind="batch", warnings=warnings)
        (line,) = RunList(lambda: store, "batch").refresh()
        assert batch_warnings(line) == ["2 GB are free"] and batch_warnings(None) == []


class TestList:
    @pytest.fixture
    def store(self) -> FakeRunStore:
        return FakeRunStore()

    @pytest.fixture
    def batches(self, store: FakeRunStore) -> BatchList:
        return BatchList(lambda: store)

    def test_trainings_are_no_batches_and_the_newest_run_speaks(
        self, store: FakeRunStore, batches: BatchList, tmp_path: Path
    ) -> None:
        training = store.add(tmp_path / "knees", state=RunState.STOPPED)
        store.add(tmp_path / "a", kind="batch", state=RunState.FINISHED)
        store.add(tmp_path / "b", kind="batch", state=RunState.STOPPED)
        newest = store.add(tmp_path / "a", kind="batch", state=RunState.RUNNING)
        entries = batches.refresh()
        assert [entry.title for entry in entries] == ["a", "b"] and entries[0].run.id == newest.id
        assert [line.name for line in RunList(lambda: store).refresh()] == ["my-head-t1w"]
        looks = training.looks
        batches.refresh()
        assert training.looks == looks  # another kind is asked once

    def test_a_folder_from_elsewhere_is_listed_until_it_is_removed(self, batches: BatchList, tmp_path: Path) -> None:
        batches.open(tmp_path / "usb" / ".." / "usb")
        assert [entry.folder for entry in batches.refresh()] == [tmp_path / "usb"]
        batches.remove(tmp_path / "usb")
        assert batches.refresh() == [] and batches.opened == ()

    def test_start_submits_the_job(self, store: FakeRunStore, batches: BatchList, planned: BatchSettings) -> None:
        assert batches.start(planned) == planned.out
        (job,) = store.submitted
        assert job.kind == "batch" and job.parameters["input"] == str(planned.source)

    def test_going_on_resumes_the_run(self, store: FakeRunStore, batches: BatchList, tmp_path: Path) -> None:
        run = store.add(tmp_path / "out", kind="batch", state=RunState.RUNNING)
        batches.refresh()
        batches.pause(tmp_path / "out")
        batches.refresh()
        batches.go_on(tmp_path / "out")
        batches.refresh()
        batches.stop(tmp_path / "out")
        assert run.asked == ["pause", "resume", "stop"] and store.submitted == []

    def test_without_a_run_going_on_takes_the_settings_of_the_batch(
        self, store: FakeRunStore, batches: BatchList, tmp_path: Path
    ) -> None:
        make_batch(tmp_path / "old", ["done", "waiting"], passes=3, seed=5, workers=2, cluster="local:2").close()
        (tmp_path / "old").rename(tmp_path / "moved")
        batches.open(tmp_path / "moved")
        batches.refresh()
        batches.go_on(tmp_path / "moved")
        request = store.submitted[0].request()
        assert (request.passes, request.seed, request.workers) == (3, 5, 2)
        assert request.out == tmp_path / "moved" and request.resume and not request.retry_failed
        assert request.cluster is None  # here, wherever it was begun

    def test_failed_cases_are_tried_again(self, store: FakeRunStore, batches: BatchList, tmp_path: Path) -> None:
        make_batch(tmp_path / "out", ["done", "failed"]).close()
        store.add(tmp_path / "out", kind="batch", state=RunState.FINISHED)
        batches.refresh()
        batches.retry(tmp_path / "out")
        request = store.submitted[0].request()
        assert request.resume and request.retry_failed

    def test_removing_forgets_every_run_and_keeps_the_files(
        self, store: FakeRunStore, batches: BatchList, tmp_path: Path
    ) -> None:
        make_batch(tmp_path / "out", ["done"]).close()
        runs = [store.add(tmp_path / "out", kind="batch", state=RunState.FINISHED) for _ in range(2)]
        batches.refresh()
        batches.remove(tmp_path / "out")
        assert [run.asked for run in runs] == [["remove False"]] * 2
        assert batches.refresh() == [] and (tmp_path / "out" / "manifest.sqlite").is_file()

    def test_a_batch_that_must_wait_knows_it(self, store: FakeRunStore, batches: BatchList, tmp_path: Path) -> None:
        batches.refresh()
        assert not batches.waits()
        training = store.add(tmp_path / "knees")
        batches.refresh()
        assert batches.waits()
        training.change(state=RunState.FINISHED)
        assert not batches.waits()
        store.add(tmp_path / "out", kind="batch")
        batches.refresh()
        assert batches.waits()


def test_a_state_that_this_window_does_not_know_keeps_its_name() -> None:
    from MedUSISLib.mrml.batch_view import _line

    row = SimpleNamespace(
        number=1, name="case-0001", key="k", state="resting", attempts=0, code="", message="", hint="", seconds=None,
        review=None, started=None,
    )  # fmt: skip
    assert _line(row, BEGUN).title == "resting"
