"""The steps of a reading, without window and scene: order, breaks, practice, stages, corrections, time, kills."""

from __future__ import annotations

import multiprocessing
import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from reading_child import package_of, read_on
from sqlalchemy import event
from study_reader_child import answer_of, long_package

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.reading_clock import ReadingClock
from MedUSISLib.mrml.reading_flow import ReadingFlow, Step
from MedUSISLib.study.answers import AnswerStore
from MedUSISLib.study.package import Feedback, Package
from MedUSISLib.study.questions import Scale, Text
from MedUSISLib.study.session import ReadingSession


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "R1-answers.sqlite"


class Hand:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class SmallDisk:
    """Lets the file of a store grow no more while ``full``."""

    def __init__(self, store: AnswerStore) -> None:
        self.full = False
        event.listen(store._engine, "connect", self._limit)

    def _limit(self, connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={1 if self.full else 1073741823}")


def flow_of(package: Package, path: Path, hand: Hand | None = None) -> ReadingFlow:
    return ReadingFlow(ReadingSession(package, AnswerStore(path)), ReadingClock(hand or Hand()))


def answer(flow: ReadingFlow) -> None:
    now = flow.now()
    assert now is not None
    flow.shown()
    flow.answer(answer_of(now.number))


def steps(flow: ReadingFlow) -> list[Step]:
    """All steps to the end."""
    seen = [flow.step]
    while flow.step is not Step.FINISHED:
        if flow.step is Step.TRIAL:
            answer(flow)
        elif flow.step is Step.PROFILE:
            flow.fill_profile({"specialty": "radiology"})
        elif flow.step is Step.CLOSING:
            flow.fill_closing({"quality": 4})
        else:
            flow.proceed()
        seen.append(flow.step)
    return seen


FORMS = {
    "profile": (Text(id="specialty", text="?", required=True),),
    "closing": (Scale(id="quality", text="?"),),
}


def test_a_whole_reading_from_the_introduction_to_the_end(path: Path) -> None:
    trial = Step.TRIAL
    assert steps(flow_of(long_package(5, breaks_after=2, **FORMS), path)) == [
        Step.INTRODUCTION,
        Step.PROFILE,
        *(trial, trial, Step.BREAK, trial, trial, Step.BREAK, trial),
        Step.CLOSING,
        Step.FINISHED,
    ]


def test_practice_comes_first_with_feedback_and_an_end_of_its_own(path: Path) -> None:
    plain = long_package(4, breaks_after=2)
    practice = tuple(t.model_copy(update={"training": True, "feedback": Feedback(answer="real")}) for t in plain.trials)
    package = plain.model_copy(update={"trials": (*practice[:2], *plain.trials[2:])})
    flow = flow_of(package, path)
    flow.proceed()
    position = flow.position()
    assert position is not None and (position.number, position.total, position.training) == (1, 2, True)
    answer(flow)
    assert flow.step is Step.FEEDBACK and flow.feedback == Feedback(answer="real")
    now = flow.now()
    assert now is not None and now.trial == package.trials[0], "the trial stays beside its feedback"
    flow.proceed()
    answer(flow)
    flow.proceed()
    assert flow.step is Step.PRACTICE_OVER
    flow.proceed()
    answer(flow)
    assert flow.step is Step.TRIAL, "practice does not count for the break"


def test_the_first_stage_is_locked_and_opens_the_second_one(path: Path) -> None:
    flow = flow_of(long_package(2, stages=2, breaks_after=1), path)
    flow.proceed()
    assert flow.begin_with() == {}
    answer(flow)
    position = flow.position()
    assert flow.step is Step.TRIAL and position is not None and (position.number, position.stage) == (1, 2)
    assert flow.begin_with() == answer_of(1)
    assert not flow.can_go_back()
    answer(flow)
    assert flow.step is Step.BREAK, "between trials, not between stages"


def test_time_is_that_of_the_trial_without_pauses(path: Path) -> None:
    hand = Hand()
    flow = flow_of(long_package(2), path, hand)
    flow.proceed()
    flow.shown()
    hand.time += 4.0
    flow.pause()
    assert flow.step is Step.PAUSED
    hand.time += 1000.0
    flow.resume()
    flow.shown()
    hand.time += 3.0
    flow.answer(answer_of(1))
    hand.time += 50.0  # until the next images are on the screen
    flow.shown()
    hand.time += 2.0
    flow.answer(answer_of(2))
    assert [row.seconds for row in flow.session.rows if row.kind == "answer"] == [7.0, 2.0]


def test_what_was_not_shown_cannot_be_answered(path: Path) -> None:
    flow = flow_of(long_package(3), path)
    flow.proceed()
    answer(flow)
    with pytest.raises(MedUSISError, match="not on the screen"):
        flow.answer(answer_of(2))
    assert len([row for row in flow.session.rows if row.kind == "answer"]) == 1


def test_going_back_is_possible_only_where_the_protocol_allows_it(path: Path) -> None:
    flow = flow_of(long_package(3), path)
    flow.proceed()
    answer(flow)
    flow.go_back()
    now = flow.now()
    assert now is not None and now.number == 2


def test_an_answer_can_be_corrected_and_the_reading_goes_on_where_it_was(path: Path) -> None:
    flow = flow_of(long_package(4, allow_back=True), path)
    flow.proceed()
    answer(flow)
    answer(flow)
    flow.go_back()
    flow.go_back()
    assert flow.can_go_forth() and not flow.can_go_back()
    assert flow.begin_with() == answer_of(1)
    flow.shown()
    flow.answer({"source": "unsure", "confidence": 1.0})
    now = flow.now()
    assert now is not None and now.number == 2 and flow.begin_with() == answer_of(2)
    flow.go_forth()
    now = flow.now()
    assert now is not None and now.number == 3 and not flow.can_go_forth()
    first = flow.session.answers_to(f"{1:016x}")
    assert [(row.revision, row.values["source"]) for row in first] == [(0, "synthetic"), (1, "unsure")]


def test_images_of_the_next_trial_are_named_ahead(path: Path) -> None:
    package = long_package(2, stages=2)
    images = iter("abcdef0123456789")
    trials = []
    for trial in package.trials:
        stages = tuple(
            stage.model_copy(update={"panels": (stage.panels[0].model_copy(update={"image": next(images) * 16}),)})
            for stage in trial.stages
        )
        trials.append(trial.model_copy(update={"stages": stages}))
    flow = flow_of(package.model_copy(update={"trials": tuple(trials)}), path)
    assert flow.ahead() == ("a" * 16, "b" * 16, "c" * 16)
    flow.proceed()
    answer(flow)
    assert flow.ahead() == ("b" * 16, "c" * 16)


def test_how_the_last_reading_ended_is_known(path: Path) -> None:
    package = long_package(3)
    flow = flow_of(package, path)
    assert not flow.interrupted
    flow.proceed()
    answer(flow)
    assert flow_of(package, path).interrupted, "nobody left it"
    flow.leave()
    assert not flow_of(package, path).interrupted


def test_a_full_disk_leaves_the_trial_open_and_a_second_try_stores_it(path: Path) -> None:
    store = AnswerStore(path)
    disk = SmallDisk(store)
    hand = Hand()
    flow = ReadingFlow(ReadingSession(long_package(400), store), ReadingClock(hand))
    flow.proceed()
    answer(flow)
    disk.full = True
    with pytest.raises(MedUSISError) as failed:
        for _ in range(399):  # until the last page that is there is full
            flow.shown()
            hand.time += 1.0
            flow.answer({"source": "real", "confidence": 50.0})
    assert failed.value.code is ErrorCode.DISK_FULL
    stored = len(AnswerStore(path).rows("R1"))
    now = flow.now()
    assert flow.step is Step.TRIAL and now is not None and not flow.session.answers_to(now.trial.id)
    flow.pause()  # what is no answer is left out without a word
    flow.resume()
    assert len(AnswerStore(path).rows("R1")) <= stored + 2
    disk.full = False
    hand.time += 1000.0  # somebody frees space meanwhile
    flow.answer({"source": "real", "confidence": 50.0})
    assert [row.seconds for row in flow.session.answers_to(now.trial.id)] == [1.0]
    AnswerStore(path).check()


def kill_and_resume(path: Path, kills: int, count: int, seed: int) -> None:
    """Kill a reading at random moments: what was confirmed is there, in order; the next start says what happened."""
    moments = random.Random(seed)
    context = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")
    confirmed: list[str] = []
    openings: list[str] = []
    for _ in range(kills):
        reading, writing = context.Pipe(duplex=False)
        child = context.Process(target=read_on, args=(path, count, writing))
        child.start()
        writing.close()
        heard = []
        for _ in range(moments.randint(0, 4)):
            assert reading.poll(120), "the reader's program says nothing"
            heard.append(reading.recv_bytes().decode())
        time.sleep(moments.uniform(0.0, 0.05))
        child.kill()
        child.join()
        try:
            while True:
                heard.append(reading.recv_bytes().decode())
        except (EOFError, OSError):
            reading.close()
        openings += [said for said in heard if said.startswith("open")]
        confirmed += [said for said in heard if not said.startswith("open")]
        with AnswerStore(path) as store:
            store.check()
            stored = [f"{row.trial} {row.stage}" for row in store.rows() if row.kind == "answer"]
        # An answer may have been stored whose confirmation was killed; never the other way round.
        assert [one for one in stored if one in set(confirmed)] == confirmed
        expected = [f"{trial.id} {stage}" for trial in package_of(count).trials for stage in (0, 1)]
        assert stored == expected[: len(stored)]
        assert len(stored) <= len(confirmed) + kills
    assert openings[0] == "open" and "open interrupted" in openings
    assert len(confirmed) > kills


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_every_answer_that_was_confirmed_survives_kills(path: Path) -> None:
    kill_and_resume(path, 10, 500, seed=3)


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_every_answer_that_was_confirmed_survives_200_kills(path: Path) -> None:
    kill_and_resume(path, 200, 5000, seed=4)
