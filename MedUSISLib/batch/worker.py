"""The worker process: a pipeline that is fed from standard input."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import TextIO

from MedUSISLib.batch.pipeline import CasePipeline
from MedUSISLib.batch.pool import CaseTask, PoolEvent
from MedUSISLib.batch.synthesis_stages import SynthesisStages
from MedUSISLib.batch.wire import Broken, WorkerSettings, to_line
from MedUSISLib.jobs.events import EventWriter, Failure
from MedUSISLib.jobs.failures import exit_code_of, named_error
from MedUSISLib.jobs.workspace import remove_what_the_launcher_left
from MedUSISLib.library_words import keep_library_words_out, print_error

_GRACE_S = 3.0
"""How long stages may take to notice that nobody wants their case any more."""


class Worker:
    """Does the cases that it is told, until its standard input ends: its owner has enough, or is dead.

    Whatever it has in hand then is given up: nothing of it stays, and whoever goes on with the batch begins those
    cases anew.

    Parameters
    ----------
    orders, events : TextIO
    """

    def __init__(self, orders: TextIO, events: TextIO) -> None:
        self._orders, self._events = orders, EventWriter(events)

    def work(self) -> int:
        """Returns the exit code; to be called in the main thread."""
        keep_library_words_out()
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)
        pipeline: CasePipeline | None = None
        try:
            settings = WorkerSettings.model_validate_json(self._orders.readline())
            stages = SynthesisStages(settings.request, settings.device)
            stages.prepare()
            pipeline = CasePipeline(stages, self._say, settings.worker)
            for line in self._orders:
                pipeline.feed(CaseTask.model_validate_json(line))
        except SystemExit:
            pass
        except Exception as error:
            print_error(error)
            named = named_error(error)
            self._say(Broken(Failure.of(named)))
            return exit_code_of(named)
        if pipeline is not None:
            pipeline.cancel()
            ended = pipeline.close(_GRACE_S)
            remove_what_the_launcher_left()
            if not ended:
                os._exit(0)  # a library is in the middle of something; it is nothing that anybody waits for
        return 0

    def _say(self, event: PoolEvent | Broken) -> None:
        self._events.write_line(to_line(event))


def _leave(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    sys.exit()
