"""What is said of a run fits its kind: a training has checkpoints and iterations, a batch has cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs_example import counting_store

from MedUSISLib.errors import MedUSISError
from MedUSISLib.jobs.events import Failure, Result, Warned
from MedUSISLib.progress import Wish
from MedUSISLib.runs.ending import ended_record
from MedUSISLib.runs.listening import RunListener
from MedUSISLib.runs.record import RunRecord, now
from MedUSISLib.runs.run import Run
from MedUSISLib.runs.status import RunState
from MedUSISLib.runs.words import words_of

CANCELLED = Failure("CANCELLED", "the job was cancelled")
OTHERS = {"train": ("case",), "batch": ("checkpoint", "iteration", "generator is exported"), "scan": ("checkpoint",)}


def record_of(kind: str, **changes: object) -> RunRecord:
    given = {"id": "r", "name": "r", "kind": kind, "out": "out", "created": now(), "queued": now(), **changes}
    return RunRecord.model_validate(given)


def run_of(folder: Path, kind: str, **changes: object) -> Run:
    """A run as its files tell it; nobody works on it."""
    store = counting_store(folder)
    place = store.folder / "20260101-000000-00000"
    place.mkdir(parents=True)
    record_of(kind, id=place.name, out=str(folder / "out"), **changes).write(place)
    return Run(place, store)


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("state", RunState)
def test_every_kind_has_its_own_words_for_every_state(kind: str, state: RunState) -> None:
    said = f"{words_of(kind).hint(state)}; {words_of(kind).goes_on}"
    assert len(words_of(kind).hint(state)) > 5 and not any(word in said for word in OTHERS[kind])


def test_a_training_goes_on_from_its_checkpoint_and_a_batch_with_its_cases(tmp_path: Path) -> None:
    training = run_of(tmp_path / "a", "train", state=RunState.RUNNING, iteration=40, started=now()).status()
    assert training.message == "interrupted at iteration 40" and "last checkpoint" in training.hint
    cases = {"stage": "synthesizing", "done": 4, "total": 9, "started": now()}
    batch = run_of(tmp_path / "b", "batch", state=RunState.RUNNING, **cases).status()
    assert batch.message == "interrupted with 4 of 9 cases done" and "cases that are not done" in batch.hint


@pytest.mark.parametrize(
    ("kind", "known", "said"),
    [
        ("train", {"iteration": 7}, "stopped at once, at iteration 7"),
        ("train", {}, "stopped at once, before the first iteration"),
        ("batch", {"stage": "synthesizing", "done": 2, "total": 3}, "stopped at once, with 2 of 3 cases done"),
        ("batch", {"stage": "finding cases", "done": 90, "total": 100}, "stopped at once, before the first case"),
        ("scan", {}, "stopped at once, before it had begun"),
    ],
)
def test_one_that_was_stopped_at_once_says_how_far_it_was(kind: str, known: dict[str, object], said: str) -> None:
    record = ended_record(record_of(kind, state=RunState.RUNNING, **known), CANCELLED, None, Wish.END, None)
    assert record.state is RunState.STOPPED and record.message == said
    assert record.hint == f"resume it: {words_of(kind).goes_on}"


def test_what_does_not_fit_the_state_is_refused_in_the_words_of_the_kind(tmp_path: Path) -> None:
    run = run_of(tmp_path, "batch", state=RunState.FINISHED)
    with pytest.raises(MedUSISError) as caught:
        run.pause()
    assert caught.value.message == "the run cannot be paused: it is finished" and "--retry-failed" in caught.value.hint


def test_removing_a_batch_with_its_data_leaves_its_results(tmp_path: Path) -> None:
    run = run_of(tmp_path, "batch", state=RunState.FINISHED)
    for name in ("manifest.sqlite", "log.jsonl", "samples/1.png"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text("x")
    (run.folder / "job.json").write_text(json.dumps({"kind": "batch", "parameters": {"out": str(tmp_path / "out")}}))
    assert run.data() == []
    run.remove(with_data=True)
    assert not run.folder.exists() and len(list((tmp_path / "out").iterdir())) == 3


def test_one_case_after_the_other_does_not_displace_what_was_told_once(tmp_path: Path) -> None:
    run = run_of(tmp_path, "batch", state=RunState.RUNNING)
    record = RunRecord.read(run.folder)
    assert record is not None
    listener = RunListener(run.folder, record)
    listener(Warned("INPUT_CHANGED", "the input names other files now"))
    for number in range(30):
        listener(Warned("CASE_FAILED", f"case {number}"))
    assert [text for _, text in listener.record.warnings] == [
        "the input names other files now", *(f"case {number}" for number in range(26, 30)),
    ]  # fmt: skip
    assert ended_record(listener.record, Result(), None, None, None).warnings == listener.record.warnings
