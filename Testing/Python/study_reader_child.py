"""A reader's program that is killed: answers trial after trial and says which answers were confirmed."""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Any

from MedUSISLib.study.answers import AnswerStore
from MedUSISLib.study.package import Package, Panel, Stage, Trial
from MedUSISLib.study.protocol import Display
from MedUSISLib.study.questions import Choice, Confidence
from MedUSISLib.study.session import ReadingSession


def long_package(count: int, stages: int = 1, **fields: Any) -> Package:
    """A package without images, for what needs none."""
    panel = Panel(place="mr", image="0" * 16)
    trials = tuple(
        Trial(id=f"{n:016x}", session=1, stages=(Stage(panels=(panel,)),) * stages) for n in range(1, count + 1)
    )
    content: dict[str, Any] = {
        "study": "s",
        "reader": "R1",
        "protocol_sha256": "0" * 64,
        "questions": (
            Choice(id="source", text="?", options=("real", "synthetic", "unsure")),
            Confidence(id="confidence", text="?"),
        ),
        "display": Display(),
        "trials": trials,
        "files": {},
    }
    return Package(**{**content, **fields})


def answer_of(number: int) -> dict[str, Any]:
    return {"source": ("real", "synthetic", "unsure")[number % 3], "confidence": float(number % 101)}


def read_on(path: str, count: int, confirm: Connection) -> None:
    """Go on reading where it stopped; send the id of every trial whose answer a reader would see confirmed."""
    session = ReadingSession(long_package(count), AnswerStore(path))
    while (now := session.current()) is not None:
        session.answer(now, answer_of(now.number), seconds=1.5)
        confirm.send_bytes(now.trial.id.encode())
