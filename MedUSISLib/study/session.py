"""One reader at work: which trial is next, what may be answered, and where it was left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.answers import AnswerStore, Owner, Row
from MedUSISLib.study.package import Package, Stage, Trial
from MedUSISLib.study.questions import checked_values


@dataclass(frozen=True)
class Current:
    """What is to be shown now: a trial, its stage (from 0) and how far the reading is ("12 of 60")."""

    trial: Trial
    stage_number: int
    number: int
    total: int

    @property
    def stage(self) -> Stage:
        """The images to show."""
        return self.trial.stages[self.stage_number]


class ReadingSession:
    """The life of a reading: profile, trials in their order, breaks, closing form - and again where it stopped.

    Everything is read from the store, so a session that was killed goes on by making another one. ``answer`` returns
    when the answer is on the disk; only then may the next trial be shown.

    Parameters
    ----------
    package : Package
        From ``package.open_package``.
    store : AnswerStore

    Raises
    ------
    MedUSISError
        BAD_SETTING when the store holds answers of this reader to another package.

    Examples
    --------
    ::

        session = ReadingSession(open_package("R1.zip"), AnswerStore("R1.sqlite"))
        while (now := session.current()) is not None:
            session.answer(now, ask(now), seconds=...)
    """

    def __init__(self, package: Package, store: AnswerStore) -> None:
        self.package = package
        self._store = store
        self._owner = Owner(package.study, package.protocol_sha256, package.sha256, package.reader)
        self._trials = {trial.id: trial for trial in package.trials}
        self._rows = [row for row in store.rows(package.reader) if row.study == package.study]
        if any(row.package_sha256 != self._owner.package_sha256 for row in self._rows):
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                "the answers belong to another package of this reader",
                "use the package that the reading began with, or a new file for the answers",
            )

    @property
    def rows(self) -> tuple[Row, ...]:
        """Everything stored so far, in order."""
        return tuple(self._rows)

    def answers_to(self, trial: str, stage: int = 0) -> list[Row]:
        """All answers to a stage, the last one counts."""
        return [r for r in self._rows if r.kind == "answer" and r.trial == trial and r.stage == stage]

    def current(self) -> Current | None:
        """The first stage that has no answer; None when all is answered."""
        answered = {(row.trial, row.stage) for row in self._rows if row.kind == "answer"}
        for number, trial in enumerate(self.package.trials, start=1):
            for stage in range(len(trial.stages)):
                if (trial.id, stage) not in answered:
                    return Current(trial, stage, number, len(self.package.trials))
        return None

    def upcoming(self) -> Trial | None:
        """The trial after the current one, to be loaded ahead."""
        now = self.current()
        return self.package.trials[now.number] if now is not None and now.number < now.total else None

    def opens_at(self) -> datetime | None:
        """When the session of the current trial may begin: after the washout since the last answer of the one before.

        None when it may begin now.
        """
        now = self.current()
        if now is None or not self.package.washout_days:
            return None
        earlier = [r for r in self._rows if r.kind == "answer" and self._trials[r.trial].session < now.trial.session]
        begun = any(r.kind == "answer" and self._trials[r.trial].session == now.trial.session for r in self._rows)
        if not earlier or begun:
            return None
        opens = datetime.fromisoformat(earlier[-1].at) + timedelta(days=self.package.washout_days)
        return opens if opens > datetime.now(UTC) else None

    def wants_break(self) -> bool:
        """True when a multiple of ``breaks_after`` trials was answered since the last pause."""
        count = 0
        for row in self._rows:
            if row.kind == "pause":
                count = 0
            elif row.kind == "answer" and row.revision == 0 and row.stage == 0:
                count += 1
        return count >= self.package.breaks_after and self.current() is not None

    def answer(self, now: Current, values: Mapping[str, Any], seconds: float) -> Row:
        """Store the answer to what is shown now; on the disk when this returns.

        Raises
        ------
        MedUSISError
            BAD_SETTING when it is not that trial's turn, the washout is not over, or an answer is not allowed;
            DISK_FULL.
        """
        turn = self.current()
        if turn is None or (turn.trial.id, turn.stage_number) != (now.trial.id, now.stage_number):
            raise MedUSISError(ErrorCode.BAD_SETTING, "another trial has its turn", "go on with the trial shown")
        if self.opens_at() is not None:
            raise MedUSISError(ErrorCode.BAD_SETTING, "the time between two sessions is not over", "come back later")
        return self._add_answer(now.trial.id, now.stage_number, values, seconds, 0)

    def correct(self, trial: str, values: Mapping[str, Any], seconds: float, stage: int = 0) -> Row:
        """Store a correction beside the answer that it corrects.

        Raises
        ------
        MedUSISError
            BAD_SETTING when the trial has no answer yet, or the protocol does not let readers go back.
        """
        given = self.answers_to(trial, stage)
        if not given:
            raise MedUSISError(ErrorCode.BAD_SETTING, "a trial without an answer cannot be corrected")
        if not self.package.allow_back:
            raise MedUSISError(
                ErrorCode.BAD_SETTING, "the protocol does not allow to go back", "go on with the trial shown"
            )
        return self._add_answer(trial, stage, values, seconds, len(given))

    def note(self, kind: Any, values: Mapping[str, Any] | None = None, trial: str = "") -> Row:
        """Store that the reading started, a trial was shown, or a break began or ended."""
        row = self._store.add(kind, self._owner, trial=trial, values=values)
        self._rows.append(row)
        return row

    def fill_profile(self, values: Mapping[str, Any]) -> Row:
        """Store the reader's specialty and experience; again when it is corrected."""
        return self.note("profile", checked_values(self.package.profile, values))

    def fill_closing(self, values: Mapping[str, Any]) -> Row:
        """Store the closing form.

        Raises
        ------
        MedUSISError
            BAD_SETTING while trials are without answer.
        """
        if self.current() is not None:
            raise MedUSISError(ErrorCode.BAD_SETTING, "trials are left to be read", "answer them first")
        return self.note("closing", checked_values(self.package.closing, values))

    def has(self, kind: str) -> bool:
        """Whether a row of this kind is there, such as "profile"."""
        return any(row.kind == kind for row in self._rows)

    def _add_answer(self, trial: str, stage: int, values: Mapping[str, Any], seconds: float, revision: int) -> Row:
        checked = checked_values(self.package.questions, values)
        row = self._store.add("answer", self._owner, trial, stage, checked, seconds, revision)
        self._rows.append(row)
        return row
