"""How long work tells what it is doing, without knowing who listens (a terminal, Slicer, a log)."""

from __future__ import annotations

from pathlib import Path


class Progress:
    """A listener that ignores everything; the jobs package writes the same calls as JSON lines.

    Long functions take one and call it freely: ``checkpoint`` is the only method that may raise.
    """

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
        """Raise ``MedUSISError(CANCELLED)`` when the user has cancelled; called between units of work."""


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
