"""The folder of a batch: names of its files, and who works in it."""

from __future__ import annotations

from pathlib import Path

from MedUSISLib.batch.states import case_name

MANIFEST_NAME = "manifest.sqlite"
KEY_NAME = "key.csv"
SUMMARY_NAME = "summary.html"
QUALITY_NAME = "quality.csv"
LOG_NAME = "log.txt"
CASES_NAME = "cases"
OWNER_NAME = "owner.json"


def case_folder(out: Path, number: int) -> Path:
    """Where the results of a case lie."""
    return out / CASES_NAME / case_name(number)


def is_running(out: Path) -> bool:
    """Whether a living process works on the batch in this folder; quick enough to be asked every second."""
    from MedUSISLib.runs.claim import Claim

    return Claim(out / OWNER_NAME).held
