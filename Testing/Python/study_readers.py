"""Simulated readers, who answer through a reading session as the reading room does; and the command line of studies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from study_example import SECRET
from typer.testing import CliRunner

from MedUSISLib.cli.main import app
from MedUSISLib.errors import MedUSISError
from MedUSISLib.study.answers import AnswerStore
from MedUSISLib.study.building import new_study
from MedUSISLib.study.key import Key, load_study
from MedUSISLib.study.merging import merge_answers
from MedUSISLib.study.package import package_of
from MedUSISLib.study.protocol import Protocol
from MedUSISLib.study.readings import Reading, readings
from MedUSISLib.study.session import Current, ReadingSession

READERS = ("R1", "R2", "R3")
Answer = Callable[[Current], dict[str, Any]]
CLOSING = {"quality": 4, "ease": 3, "trust": 2, "remarks": "Vessels look soft <b>here</b>."}


def run(*words: object, code: int = 0) -> str:
    """``medusis study ...``; what it said, or its error, whose exit code must be ``code``."""
    done = CliRunner().invoke(app, ["study", *map(str, words)])
    if isinstance(done.exception, MedUSISError):
        assert code, str(done.exception)
        return str(done.exception)
    assert done.exit_code == code, done.output
    return done.output


def read(
    study: Path,
    reader: str,
    path: Path,
    answer: Answer,
    stop: int = 10**9,
    closing: dict[str, Any] | None = CLOSING,
    correct: Answer | None = None,
) -> Path:
    """Answer trials up to number ``stop``, fill profile and closing form; ``correct`` answers the last trial again."""
    package = package_of(*load_study(study), reader)
    with AnswerStore(path) as store:
        session = ReadingSession(package, store)
        if not session.has("profile"):
            session.fill_profile({"specialty": "neuroradiology", "years": 7})
        last = None
        while (now := session.current()) is not None and now.number <= stop:
            session.answer(now, answer(now), seconds=2.0 + now.number / 4)
            last = now
        if correct is not None and last is not None:
            session.correct(last.trial.id, correct(last), seconds=1.0)
        if session.current() is None and closing is not None:
            session.fill_closing(closing)
    return path


def turing_reader(key: Key, seed: int, skill: float, unsure: float = 0.1) -> Answer:
    """Right with the probability ``skill``, unsure with ``unsure``; surer when right."""
    random = np.random.default_rng(seed)

    def answer(now: Current) -> dict[str, Any]:
        truth = key.trial_of[now.trial.id].right_answer
        other = {"real": "synthetic", "synthetic": "real", "left": "right", "right": "left"}[truth]
        right = random.random() < skill
        said = truth if right else other
        if random.random() < unsure and truth in ("real", "synthetic"):
            said = "unsure"
        return {"source": said, "confidence": float(np.round(random.uniform(40 if right else 5, 100 if right else 70)))}

    return answer


def lesion_reader(key: Key, seed: int, find: dict[str, float], false: float) -> Answer:
    """Marks each lesion with a probability by arm, within 2 mm, and sometimes a place where nothing is."""
    random = np.random.default_rng(seed)
    names = ("juxtacortical", "periventricular", "infratentorial", "subcortical")

    def answer(now: Current) -> dict[str, Any]:
        trial = key.trial_of[now.trial.id]
        case, arm = key.case_of[trial.case], trial.stages[now.stage_number].arm
        marks = []
        for lesion in case.lesions:
            if random.random() < find[arm]:
                place = np.array(lesion.centre_lps_mm) + random.uniform(-1.2, 1.2, 3)
                sure = float(np.round(random.uniform(50, 100)))
                category = names[lesion.label % 2]
                marks.append({"position_lps_mm": tuple(place), "confidence": sure, "category": category})
        if random.random() < false:
            place = tuple(random.uniform(-8, 8, 3) + np.array([0.0, 35.0, -10.0]))
            sure = float(np.round(random.uniform(5, 60)))
            marks.append({"position_lps_mm": place, "confidence": sure, "category": names[2]})
        highest = max((m["confidence"] for m in marks), default=0.0)
        return {"present": "yes" if highest >= 50 else "no", "confidence": highest, "marks": marks}

    return answer


def made(table: Path, folder: Path, protocol: Protocol) -> Path:
    """A study with secrets that are the same in every run."""
    new_study(table, protocol, folder / "study", secret=SECRET)
    return folder / "study"


def all_readings(study: Path, answers: list[Path], tmp_path: Path) -> list[Reading]:
    """Every answered stage of several files."""
    merge_answers(study, answers, tmp_path / "all.sqlite")
    return readings(study, tmp_path / "all.sqlite")
