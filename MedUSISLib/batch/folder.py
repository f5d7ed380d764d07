"""The folder of a batch: names of its files, and who works in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from MedUSISLib.batch.states import case_name
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.runs.claim import BEAT_S, Claim

MANIFEST_NAME = "manifest.sqlite"
KEY_NAME = "key.csv"
PROBLEMS_NAME = "problems.csv"
SUMMARY_NAME = "summary.html"
QUALITY_NAME = "quality.csv"
LOG_NAME = "log.txt"
CASES_NAME = "cases"
OWNER_NAME = "owner.json"


def case_folder(out: Path, number: int) -> Path:
    """Where the results of a case lie."""
    return out / CASES_NAME / case_name(number)


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Hold the folder; a thread keeps the claim young all the time, so that other computers see that somebody works.

    Not the loop of the batch: a cluster takes minutes to open, and a claim that is a minute old counts as a dead one.

    Raises
    ------
    MedUSISError
        BAD_SETTING when another process has it, or it cannot be written.
    """
    claim = Claim(out / OWNER_NAME)
    try:
        taken = claim.take()
    except OSError as error:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "the output folder cannot be written", "give a folder that you may write to", out
        ) from error
    if not taken:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "another batch works in this output folder",
            "wait for it, or give another folder",
            out,
        )
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_S):
            claim.beat()

    thread = threading.Thread(target=beat, name="medusis-claim", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(BEAT_S)  # a disk that does not answer holds up a beat, and must not hold up the end
        claim.release()


def is_running(out: Path) -> bool:
    """Whether a living process works on the batch in this folder; quick enough to be asked every second."""
    return Claim(out / OWNER_NAME).held
