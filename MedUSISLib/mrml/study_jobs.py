"""Jobs of a study's administrator in a child process, one at a time: making, checking, packing, analysing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.mrml.background_jobs import BackgroundJobs
from MedUSISLib.mrml.stage_titles import stage_title
from MedUSISLib.mrml.worker import Worker
from MedUSISLib.signal import Signal


class StudyJobs(BackgroundJobs):
    """One job after the other; its outcome goes to who asked for it.

    Parameters
    ----------
    worker : Worker, optional

    Attributes
    ----------
    changed : Signal
        A job began or ended.
    progressed : Signal
        ``progressed(done, total, eta_s)`` of the stage that runs.
    staged : Signal
        With the title of a stage that begins.
    kind : str
        Of the job that runs, "" when none does.
    """

    def __init__(self, worker: Worker | None = None) -> None:
        super().__init__(worker)
        self.changed, self.progressed, self.staged = Signal(), Signal(), Signal()
        self.kind = ""

    def start(
        self,
        kind: str,
        parameters: Mapping[str, Any],
        on_done: Callable[[dict[str, Any]], object],
        on_error: Callable[[Failure], object],
    ) -> None:
        """Start a job of this kind; exactly one of the two functions is called when it has ended.

        Raises
        ------
        MedUSISError
            BAD_SETTING while another one runs.
        """
        if self.kind:
            raise MedUSISError(ErrorCode.BAD_SETTING, "another job is running", "wait for it, or cancel it")
        self.kind = kind

        def done(summary: dict[str, Any]) -> None:
            self._end()
            on_done(summary)

        def failed(failure: Failure) -> None:
            self._end()
            on_error(failure)

        self.changed()
        self._start(kind, parameters, done, failed, self.progressed, lambda name: self.staged(stage_title(name, kind)))

    def close(self) -> None:
        """End the job now and tell nobody."""
        super().close()
        self.kind = ""

    def _end(self) -> None:
        self.kind = ""
        self.changed()
