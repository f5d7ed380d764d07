"""A reading that is killed: goes through all steps as the room does, and says which answers a reader saw confirmed."""

from __future__ import annotations

from multiprocessing.connection import Connection
from pathlib import Path

from study_reader_child import answer_of, long_package

from MedUSISLib.mrml.reading_flow import ReadingFlow, Step
from MedUSISLib.study.answers import AnswerStore
from MedUSISLib.study.package import Package
from MedUSISLib.study.session import ReadingSession


def package_of(count: int) -> Package:
    """Two stages for each trial, a break after every third."""
    return long_package(count, stages=2, breaks_after=3)


def read_on(path: Path, count: int, confirm: Connection) -> None:
    """Go on where the reading stopped; send trial and stage as soon as the next step is shown."""
    flow = ReadingFlow(ReadingSession(package_of(count), AnswerStore(path)))
    confirm.send_bytes(b"open interrupted" if flow.interrupted else b"open")
    while flow.step is not Step.FINISHED:
        if flow.step is not Step.TRIAL:
            flow.proceed()
            continue
        now = flow.now()
        assert now is not None
        flow.shown()
        flow.answer({**answer_of(now.number), "confidence": float(now.stage_number)})
        confirm.send_bytes(f"{now.trial.id} {now.stage_number}".encode())
    flow.leave()
