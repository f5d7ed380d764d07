"""What may become of a case, and what is known of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CaseState(StrEnum):
    """Where a case stands; a case that is tried again is ``WAITING`` with ``attempts`` above zero."""

    WAITING = "waiting"
    READING = "reading"
    COMPUTING = "computing"
    WRITING = "writing"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"

    @property
    def active(self) -> bool:
        """A worker has it."""
        return self in (CaseState.READING, CaseState.COMPUTING, CaseState.WRITING)

    @property
    def ended(self) -> bool:
        """Nothing more happens to it in this run."""
        return self in (CaseState.DONE, CaseState.FAILED, CaseState.SKIPPED)


@dataclass(frozen=True)
class CaseRow:
    """One case as the manifest has it.

    Attributes
    ----------
    number : int
        From 1, in the order in which the cases were found.
    name : str
        "case-0001": its folder below ``cases``, and what every log and report calls it.
    key : str
        What the input calls it; may name a patient and never leaves the manifest and ``key.csv``.
    state : CaseState
    attempts : int
        How often it was begun.
    code, message, hint : str
        Of its last failure, or why it was skipped; empty otherwise. No names.
    started, ended : datetime or None
        Of the last attempt, UTC.
    seconds : float or None
        That a worker spent on it in its last attempt, without waiting between the stages.
    review : bool or None
        Whether somebody should look at the synthetic MR; None before it is done and where there is no such measure.
    worker : str
        Which worker had it last.
    """

    number: int
    name: str
    key: str
    state: CaseState
    attempts: int = 0
    code: str = ""
    message: str = ""
    hint: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    seconds: float | None = None
    review: bool | None = None
    worker: str = ""


def case_name(number: int) -> str:
    """Name of a case, without anything of the patient.

    Examples
    --------
    >>> case_name(7)
    'case-0007'
    """
    return f"case-{number:04d}"
