"""Trying one spoiled input: refused by name, accepted and right, or a fault of MedUSIS."""

from __future__ import annotations

import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from faults.kind import NAME, Kind
from MedUSISLib.errors import MedUSISError

CPU_LIMIT_S = 10.0
"""More processor time than this for one small input is a hang."""
WALL_LIMIT_S = 300
"""For one that waits; the seconds of a busy machine count as well."""


@dataclass(frozen=True)
class Verdict:
    """What became of one input.

    Attributes
    ----------
    kind, number
        Make the same input again: ``spoiled(kind, number, ...)``.
    done : str
        What was done to it.
    outcome : {"refused", "accepted", "failure"}
    code : str
        Of the named error, when it was refused.
    detail : str
        The error's text, or what is wrong.
    """

    kind: str
    number: int
    done: str
    outcome: str
    code: str = ""
    detail: str = ""


class TooLong(BaseException):
    """The time for one input is over; no ``except Exception`` swallows it."""


def judge(kind: Kind, number: int, sound: Path, work: Path) -> Verdict:
    """Spoil a copy of the sound input in ``work`` and hand it in; ``number`` chooses how.

    Parameters
    ----------
    sound : Path
        Folder that ``kind.make`` has written.
    work : Path
        Is made anew and removed.
    """
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(sound, work)
    done = kind.spoil(Random(f"{kind.name} {number}"), work)
    try:
        outcome, code, detail = _handed_in(kind, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Verdict(kind.name, number, done, outcome, code, detail)


def require_sound(kind: Kind, sound: Path, work: Path) -> None:
    """AssertionError unless the input that was not spoiled is accepted and right: without that no refusal says much."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(sound, work)
    kind.verify(work, kind.read(work))
    shutil.rmtree(work)


def _handed_in(kind: Kind, folder: Path) -> tuple[str, str, str]:
    before = time.process_time()
    try:
        with time_limit(WALL_LIMIT_S):
            value = kind.read(folder)
    except MedUSISError as error:
        trouble = _badly_named(kind, error, folder)
        outcome, code, detail = ("failure" if trouble else "refused", error.code.value, trouble or str(error))
    except TooLong:
        outcome, code, detail = "failure", "", f"no answer within {WALL_LIMIT_S} s: {_last_line()}"
    except Exception as error:  # what a test would call a traceback
        outcome, code, detail = "failure", "", f"raw {type(error).__name__}: {str(error)[:150]} ({_place(error)})"
    else:
        outcome, code, detail = _accepted(kind, folder, value)
    if (spent := time.process_time() - before) > CPU_LIMIT_S:
        return "failure", "", f"{spent:.0f} s of processor time; it ended as: {detail}"
    return outcome, code, detail


def _accepted(kind: Kind, folder: Path, value: Any) -> tuple[str, str, str]:
    if kind.always_refused:
        return "failure", "", "accepted"
    try:
        kind.verify(folder, value)
    except AssertionError as error:
        return "failure", "", f"wrong success: {str(error)[:300] or _place(error)}"
    return "accepted", "", ""


def _badly_named(kind: Kind, error: MedUSISError, folder: Path) -> str:
    """What is missing in a named error: what, where, remedy; or what it must not say."""
    text = str(error)
    if error.code.value not in kind.codes:
        return f"the code {error.code.value} does not fit: {text}"
    if not error.message:
        return "no message"
    if not error.hint:
        return f"no remedy: {text}"
    if NAME in text or str(folder) in text:
        return "the message repeats a file name"
    if len(text) > 1200 or any(ord(character) < 32 for character in text):
        return f"the message is long or has control characters: {text[:200]!r}"
    return ""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """`TooLong` in this block after so many seconds, where signals can do that (not on Windows)."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def over(*_: object) -> None:
        raise TooLong

    earlier = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "MedUSISLib" in frame.filename or "faults" in frame.filename]
    frame = (ours or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _last_line() -> str:
    error = sys.exc_info()[1]
    return _place(error) if error is not None else ""
