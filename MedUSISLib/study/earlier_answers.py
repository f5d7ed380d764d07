"""Answers that lie in a study's folder when another study is made there: kept under another name, read by nothing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from MedUSISLib.study.answers import ANSWERS_NAME

_LOGS = ("-wal", "-shm")
"""SQLite's own files beside a database: what was committed last may stand in them only."""


def put_aside(study: Path) -> str:
    """Give the merged answers in a folder another name; what to tell about it, "" when there are none.

    Nothing of them could be merged with answers to the new study: its key is another one. Under their old name they
    would only stand in the way, and merging says so where they cannot be renamed.
    """
    answers = study / ANSWERS_NAME
    if not answers.exists():
        return ""
    stem = f"answers-of-the-study-before-{datetime.now():%Y%m%d-%H%M%S}"
    number, name = 1, f"{stem}.sqlite"
    while (study / name).exists():
        number += 1
        name = f"{stem}-{number}.sqlite"
    moved: list[str] = []
    try:
        for log in (*_LOGS, ""):  # the database last: as long as it has its name, its logs can be put back
            if (study / f"{ANSWERS_NAME}{log}").exists():
                (study / f"{ANSWERS_NAME}{log}").rename(study / f"{name}{log}")
                moved.append(log)
    except OSError:
        for log in moved:
            (study / f"{name}{log}").rename(study / f"{ANSWERS_NAME}{log}")
        return f"{ANSWERS_NAME} holds answers to the study that was here before and cannot be renamed: move it away"
    return f"the answers to the study that was here before are kept as {name}"
