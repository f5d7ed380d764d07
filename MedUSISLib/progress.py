"""How long work tells what it is doing, without knowing who listens (a terminal, Slicer, a log)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path


class Wish(StrEnum):
    """What the user may want of long work while it goes on.

    ``PAUSE`` and ``STOP``: keep what a later run needs to go on, and end. ``FINISH``: end as if all were done.
    ``END``: end at once, nothing is kept.
    """

    PAUSE = "pause"
    FINISH = "finish"
    STOP = "stop"
    END = "end"


class Progress:
    """A listener that ignores everything; the jobs package writes the same calls as JSON lines.

    Long functions take one and call it freely: ``checkpoint`` is the only method that may raise.
    """

    @property
    def wish(self) -> Wish | None:
        """What the user wants now, cheap enough to ask in every step; None: that the work goes on."""
        return None

    @contextmanager
    def answering_wishes(self) -> Iterator[None]:
        """In this block the caller looks at ``wish`` itself, and ``checkpoint`` raises for a cancel alone."""
        yield

    def stage(self, name: str) -> None:
        """A new stage of the work begins ("reading", "synthesizing", ...)."""

    def step(self, done: int, total: int) -> None:
        """``done`` of ``total`` units of the current stage are finished."""

    def preview(self, path: Path) -> None:
        """A picture or slice that can be shown while the work goes on."""

    def metric(self, name: str, value: float, **details: object) -> None:
        """A number worth plotting, for example a loss; ``details`` may hold the iteration."""

    def warning(self, code: str, message: str) -> None:
        """Something the user should know that does not stop the work. No file names."""

    def checkpoint(self) -> None:
        """Raise ``MedUSISError(CANCELLED)`` when the user has cancelled; called between units of work.

        A wish to pause or stop counts as a cancel, unless the caller answers wishes itself.
        """


class Silent(Progress):
    """Passes only cancelling and wishes on: for processes that work beside the one that speaks.

    Parameters
    ----------
    listener : Progress
    """

    def __init__(self, listener: Progress) -> None:
        self._listener = listener

    @property
    def wish(self) -> Wish | None:
        return self._listener.wish

    def checkpoint(self) -> None:
        self._listener.checkpoint()


class StepsOnly(Progress):
    """Passes steps and cancelling on to another listener: for work that is a part of the caller's stage.

    Parameters
    ----------
    listener : Progress
    """

    def __init__(self, listener: Progress) -> None:
        self._listener = listener

    def step(self, done: int, total: int) -> None:
        self._listener.step(done, total)

    def checkpoint(self) -> None:
        self._listener.checkpoint()
