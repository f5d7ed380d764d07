"""What comes next in a reading: profile, introduction, trials with their stages, feedback, breaks, closing form.

No Qt and no scene: the window shows what ``step`` says and tells what the reader did. Answers go to the session, which
returns when they are on the disk; only then the step changes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.reading_clock import ReadingClock

if TYPE_CHECKING:
    from MedUSISLib.study.answers import Kind
    from MedUSISLib.study.package import Feedback, Trial
    from MedUSISLib.study.session import Current, ReadingSession

_logger = logging.getLogger(__name__)


class Step(StrEnum):
    """What the room shows."""

    INTRODUCTION = "introduction"
    PROFILE = "profile"
    PRACTICE_OVER = "practice over"
    TRIAL = "trial"
    FEEDBACK = "feedback"
    BREAK = "break"
    PAUSED = "paused"
    WAITING = "waiting"
    CLOSING = "closing"
    FINISHED = "finished"


@dataclass(frozen=True)
class Position:
    """How far the reading is.

    Attributes
    ----------
    number, total : int
        Of the training trials, or of the others.
    training : bool
    stage, stages : int
        From 1; sequential reading has more than one.
    """

    number: int
    total: int
    training: bool
    stage: int
    stages: int


class ReadingFlow:
    """One opened reading, from the introduction to the end; made anew each time that the package is opened.

    Parameters
    ----------
    session : ReadingSession
    clock : ReadingClock, optional
    """

    def __init__(self, session: ReadingSession, clock: ReadingClock | None = None) -> None:
        self._session = session
        self._package = session.package
        self._clock = clock or ReadingClock()
        self.interrupted = _was_interrupted(session)
        self._step = Step.INTRODUCTION
        self._before_pause: Step | None = None
        self._shown: tuple[str, int] | None = None
        self._feedback: tuple[Trial, Mapping[str, Any]] | None = None
        self._past: int | None = None

    @property
    def step(self) -> Step:
        """What is to be shown now."""
        return self._step

    @property
    def session(self) -> ReadingSession:
        """Where the answers go."""
        return self._session

    # The trial

    def now(self) -> Current | None:
        """The trial to show: the one whose turn it is, the answered one that the reader went back to, or the one that
        feedback is given to."""
        from MedUSISLib.study.session import Current

        if self._feedback is not None:
            trial = self._feedback[0]
            return Current(trial, len(trial.stages) - 1, self._number_of(trial), len(self._package.trials))
        if self._past is not None:
            trial = self._package.trials[self._past]
            return Current(trial, len(trial.stages) - 1, self._past + 1, len(self._package.trials))
        return self._session.current()

    def position(self) -> Position | None:
        """Where the trial stands among its like."""
        now = self.now()
        if now is None:
            return None
        like = [trial for trial in self._package.trials if trial.training == now.trial.training]
        return Position(
            like.index(now.trial) + 1, len(like), now.trial.training, now.stage_number + 1, len(now.trial.stages)
        )

    def begin_with(self) -> dict[str, Any]:
        """Answers that the trial opens with: those of its last stage, or those that are being corrected."""
        now = self.now()
        if now is None:
            return {}
        stage = now.stage_number
        given = self._session.answers_to(now.trial.id, stage if self._past is not None else stage - 1)
        return dict(given[-1].values) if given else {}

    def ahead(self) -> tuple[str, ...]:
        """Names of the images that will be wanted next."""
        now = self._session.current()
        if now is None:
            return ()
        stages = list(now.trial.stages[now.stage_number :])
        upcoming = self._session.upcoming()
        if upcoming is not None:
            stages.append(upcoming.stages[0])
        return tuple(dict.fromkeys(panel.image for stage in stages for panel in stage.panels))

    def shown(self) -> None:
        """The images are on the screen: time begins, once for each stage."""
        now = self.now()
        if now is None or self._step is not Step.TRIAL:
            return
        place = (now.trial.id, now.stage_number)
        if self._shown == place:
            self._clock.go_on()
            return
        self._shown = place
        self._note("shown", now.trial.id, {"stage": now.stage_number, "again": self._past is not None})
        self._clock.restart()

    def answer(self, values: Mapping[str, Any]) -> None:
        """Store the answer to the trial that is shown and go on to what comes next.

        Raises
        ------
        MedUSISError
            What the session raises. The answer is not stored then and the trial stays; the clock stands still until
            it is tried again. BAD_SETTING when the trial was not ``shown``: nobody answers what he did not see.
        """
        now = self.now()
        if now is None or self._step is not Step.TRIAL:
            return
        if self._shown != (now.trial.id, now.stage_number):
            raise MedUSISError(
                ErrorCode.BAD_SETTING, "the trial that has its turn is not on the screen", "leave and open it again"
            )
        self._clock.hold()
        seconds = self._clock.seconds
        if self._past is not None:
            self._session.correct(now.trial.id, values, seconds, now.stage_number)
            self._past += 1
            self._leave_the_past()
        else:
            self._session.answer(now, values, seconds)
        self._shown = None
        last_stage = now.stage_number == len(now.trial.stages) - 1
        if last_stage and now.trial.feedback is not None and self._past is None:
            self._feedback = (now.trial, values)
            self._step = Step.FEEDBACK
            return
        self._next(after=now.trial)

    @property
    def feedback(self) -> Feedback | None:
        """What the reader is told about the training trial that was just answered."""
        return self._feedback[0].feedback if self._feedback is not None else None

    @property
    def feedback_to(self) -> Mapping[str, Any]:
        """What the reader had answered."""
        return self._feedback[1] if self._feedback is not None else {}

    # Going on

    def proceed(self) -> None:
        """The reader has read the introduction, the feedback or a message, or has had the break."""
        if self._step is Step.INTRODUCTION:
            self._note("resume" if self._session.rows else "start")
            self._next()
        elif self._step is Step.FEEDBACK and self._feedback is not None:
            trial = self._feedback[0]
            self._feedback = None
            self._next(after=trial)
        elif self._step is Step.BREAK:
            self._note("resume")
            self._step = Step.TRIAL
        elif self._step is Step.PRACTICE_OVER:
            self._note("resume")
            self._next()
        elif self._step is Step.WAITING:
            self._next()

    def pause(self) -> None:
        """Stop the clock and hide the trial."""
        if self._step in (Step.TRIAL, Step.FEEDBACK):
            self._clock.hold()
            self._note("pause")
            self._before_pause, self._step = self._step, Step.PAUSED

    def resume(self) -> None:
        """Show the trial again, as it was left; the time goes on when it is shown."""
        if self._step is Step.PAUSED and self._before_pause is not None:
            self._note("resume")
            self._step, self._before_pause = self._before_pause, None

    def leave(self) -> None:
        """The reader goes; what is not answered will be asked again."""
        if self._session.rows and self._session.rows[-1].kind not in ("pause", "closing"):
            self._note("pause")

    def fill_profile(self, values: Mapping[str, Any]) -> None:
        """Store the reader's profile and go on."""
        self._session.fill_profile(values)
        self._next()

    def fill_closing(self, values: Mapping[str, Any]) -> None:
        """Store the closing form and go on to the end."""
        self._session.fill_closing(values)
        self._next()

    def opens_at(self) -> datetime | None:
        """When the next session may begin."""
        return self._session.opens_at()

    # Back and forth, where the protocol allows it

    def can_go_back(self) -> bool:
        """Whether there is an answered trial before this one that may be corrected."""
        now = self.now()
        return self._package.allow_back and self._step is Step.TRIAL and now is not None and now.number > 1

    def can_go_forth(self) -> bool:
        """Whether the reader is looking at an answered trial."""
        return self._past is not None and self._step is Step.TRIAL

    def go_back(self) -> None:
        """Show the trial before, with its answer."""
        now = self.now()
        if self.can_go_back() and now is not None:
            self._clock.hold()
            self._past = now.number - 2
            self._shown = None

    def go_forth(self) -> None:
        """Show the trial after, without a correction."""
        if self._past is not None:
            self._past += 1
            self._shown = None
            self._leave_the_past()

    # Inside

    def _leave_the_past(self) -> None:
        current = self._session.current()
        if self._past is not None and (current is None or self._past >= current.number - 1):
            self._past = None

    def _next(self, after: Trial | None = None) -> None:
        self._step = self._what_comes(after)
        if self._step in (Step.BREAK, Step.PRACTICE_OVER):
            self._note("pause")

    def _what_comes(self, after: Trial | None) -> Step:
        if self._past is not None:
            return Step.TRIAL
        if self._package.profile and not self._session.has("profile"):
            return Step.PROFILE
        now = self._session.current()
        if now is None:
            return Step.CLOSING if self._package.closing and not self._session.has("closing") else Step.FINISHED
        if self._session.opens_at() is not None:
            return Step.WAITING
        if now.stage_number == 0 and after is not None:
            if after.training and not now.trial.training:
                return Step.PRACTICE_OVER
            if self._session.wants_break():
                return Step.BREAK
        return Step.TRIAL

    def _number_of(self, trial: Trial) -> int:
        return next(n for n, other in enumerate(self._package.trials, start=1) if other.id == trial.id)

    def _note(self, kind: Kind, trial: str = "", values: Mapping[str, Any] | None = None) -> None:
        """Record what is no answer; without space it is left out, the answer after it says so."""
        try:
            self._session.note(kind, values, trial)
        except MedUSISError as error:
            _logger.warning("the %s was not recorded: %s", kind, error.message)


def _was_interrupted(session: ReadingSession) -> bool:
    """Whether the program ended without being left: by a crash, a power cut or a kill."""
    rows = session.rows
    return bool(rows) and rows[-1].kind not in ("pause", "closing")
