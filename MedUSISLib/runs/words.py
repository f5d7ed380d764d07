"""What a run keeps and where it goes on, in the words of its kind: a training has checkpoints, a batch has cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from MedUSISLib.runs.record import RunRecord
from MedUSISLib.runs.status import RunState

STAGE_OF_CASES = "synthesizing"
"""Of a batch: what is done then are cases."""


@dataclass(frozen=True)
class RunWords:
    """Hints for a run.

    Attributes
    ----------
    goes_on : str
        Where it goes on when it is resumed.
    waits : mapping of RunState to str
        What to wait for while it does what was wished.
    anew : str
        What to do when it has finished and more is wanted.
    """

    goes_on: str
    waits: Mapping[RunState, str]
    anew: str

    def hint(self, state: RunState) -> str:
        """What to do when something does not fit the state."""
        return self.waits.get(state) or (self.anew if state is RunState.FINISHED else _HINTS[state])


_HINTS = {
    RunState.RUNNING: "pause or stop it first",
    RunState.FAILED: "resume or remove it",
    RunState.PAUSED: "resume it",
    RunState.STOPPED: "resume it",
    RunState.QUEUED: "it waits for its turn",
}
_TRAINING = RunWords(
    "it goes on from its last checkpoint",
    {
        RunState.PAUSING: "wait until its checkpoint is saved",
        RunState.STOPPING: "wait until its checkpoint is saved",
        RunState.FINISHING: "wait until its generator is exported, or stop it",
    },
    "start a new one, from its generator if you like (start_from)",
)
_BATCH = RunWords(
    "it goes on with the cases that are not done",
    {
        RunState.PAUSING: "wait until the cases in hand are finished, or stop it",
        RunState.STOPPING: "wait until the cases in hand are given up",
        RunState.FINISHING: "wait until the cases in hand are finished, or stop it",
    },
    "start it again for the cases that failed (medusis batch ... --retry-failed)",
)
_OTHER = RunWords(
    "it goes on where it was",
    {state: "wait until it has ended" for state in (RunState.PAUSING, RunState.STOPPING, RunState.FINISHING)},
    "start a new one",
)
_BY_KIND = {"train": _TRAINING, "batch": _BATCH}


def words_of(kind: str) -> RunWords:
    """For jobs of this kind; plain words for any other."""
    return _BY_KIND.get(kind, _OTHER)


def place_of(record: RunRecord) -> str:
    """How far a run had come.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 11, 20, tzinfo=UTC)
    >>> place_of(RunRecord(id="a", name="a", kind="train", out="a", created=at, queued=at, iteration=40))
    'at iteration 40'
    >>> place_of(RunRecord(id="a", name="a", kind="batch", out="a", created=at, queued=at))
    'before the first case'
    """
    if record.iteration:
        return f"at iteration {record.iteration}"
    if record.kind == "batch":
        counted = record.stage == STAGE_OF_CASES and record.total
        return f"with {record.done} of {record.total} cases done" if counted else "before the first case"
    return "before the first iteration" if record.kind == "train" else "before it had begun"
