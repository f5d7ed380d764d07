"""How a batch ended, or what it would do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from MedUSISLib.batch.states import CaseState


@dataclass(frozen=True)
class BatchOutcome:
    """Numbers of cases, and of what became none.

    Attributes
    ----------
    kind : str
        What the input was: "table", "bids", "dicom" or "files".
    cases, done, failed, skipped, waiting : int
        ``waiting`` is more than zero for a dry run and for a batch that was told to finish early.
    review : int
        Of those done: how many somebody should look at.
    problems : int
        What the input held that became no case.
    without_segmentation : int
    workers : int
    seconds : float
        Of this run.
    worker_bytes : int or None
        Memory that a worker is expected to take.
    """

    kind: str
    cases: int
    problems: int
    without_segmentation: int
    workers: int
    done: int = 0
    failed: int = 0
    skipped: int = 0
    waiting: int = 0
    review: int = 0
    seconds: float = 0.0
    worker_bytes: int | None = None

    def summary(self) -> dict[str, Any]:
        """For the result event."""
        return dict(self.__dict__)


def counted(counts: Counter[CaseState]) -> dict[str, int]:
    """The states of a manifest as fields of an outcome."""
    return {
        "done": counts[CaseState.DONE],
        "failed": counts[CaseState.FAILED],
        "skipped": counts[CaseState.SKIPPED],
        "waiting": sum(n for state, n in counts.items() if not state.ended),
    }
