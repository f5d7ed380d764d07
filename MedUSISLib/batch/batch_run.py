"""The loop of a batch: cases go to workers, what happens goes into the manifest, until there is nothing left to do."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from MedUSISLib.batch.batch_log import LOGGER
from MedUSISLib.batch.folder import case_folder
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.pool import Began, CaseTask, Died, Failed, Finished, PoolEvent, WorkerPool
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.retries import OF_THE_BATCH, worth_another, worth_another_after_death
from MedUSISLib.batch.settling import AGAIN, SOUND
from MedUSISLib.batch.standing import stands
from MedUSISLib.batch.states import CaseState, case_name
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.progress import Progress, Wish

_LOOK_S = 0.5
_OFTEN_S = 60.0
"""So often the summary is written anew while cases end."""


class BatchRun:
    """One run over the cases that wait.

    At any moment the pool has no more cases than its capacity. A case that failed in a way that may pass waits again,
    behind all others; no case stops the rest. What the user wishes is looked at several times a second: after
    ``PAUSE`` or ``FINISH`` no case is begun and those in hand are finished; after ``STOP`` or a cancel they are given
    up, and are as if they had not been begun.

    Parameters
    ----------
    request : BatchRequest
    manifest : Manifest
        Settled (`settling.settle`).
    pool : WorkerPool
    progress : Progress
        Hears how many cases have ended, and each failure.
    every_so_often : callable
        Called about once a minute while cases end, for the pages that people look at.
    """

    def __init__(
        self,
        request: BatchRequest,
        manifest: Manifest,
        pool: WorkerPool,
        progress: Progress,
        every_so_often: Callable[[], None] = lambda: None,
    ) -> None:
        self._request, self._manifest, self._pool, self._progress = request, manifest, pool, progress
        self._every_so_often = every_so_often
        rows = manifest.rows()
        self._attempts = {row.number: row.attempts for row in rows}
        self._waiting = deque(row.number for row in rows if row.state is CaseState.WAITING)
        self._in_hand: set[int] = set()
        self._begun: set[int] = set()
        self._total = len(rows)
        self._failed = sum(row.state is CaseState.FAILED for row in rows)
        self._wrote = time.monotonic()

    def run(self) -> Wish | None:
        """Until nothing waits, or the user wished otherwise; the wish with which it ended before all was done.

        Raises
        ------
        MedUSISError
            CANCELLED; DISK_FULL and what else every further case would meet. The cases in hand wait again then.
        """
        self._progress.stage("synthesizing")
        self._say_how_far()
        wish: Wish | None = None
        try:
            while True:
                self._progress.checkpoint()
                wish = self._progress.wish
                if wish in (Wish.STOP, Wish.END):
                    return wish
                if wish is None:
                    self._give_out()
                if not self._in_hand and (wish is not None or not self._waiting):
                    return wish if self._waiting else None
                for event in self._pool.events(_LOOK_S):
                    self._happened(event)
        finally:
            self._give_up()

    def _give_out(self) -> None:
        while self._waiting and len(self._in_hand) < self._pool.capacity:
            number = self._waiting.popleft()
            case, attempts = self._manifest.case(number), self._attempts[number]
            self._in_hand.add(number)
            self._pool.submit(
                CaseTask(
                    number=number,
                    ct=case.ct,
                    segmentation=case.segmentation,
                    labels=case.labels,
                    ct_series=case.ct_series,
                    out=case_folder(self._request.out, number),
                    attempt=attempts + 1,
                    alone=attempts > 0,
                )
            )

    # -- what happens ----------------------------------------------------------------------------------------------

    def _happened(self, event: PoolEvent) -> None:
        if isinstance(event, Died):
            self._died(event)
        elif event.number not in self._in_hand:
            pass  # the last words of a worker that was taken for dead
        elif isinstance(event, Began):
            self._began(event)
        elif isinstance(event, Finished):
            self._finished(event)
        elif isinstance(event, Failed):
            self._has_failed(event.number, event.failure, event.seconds)

    def _began(self, event: Began) -> None:
        changes: dict[str, object] = {"state": event.state, "worker": event.worker}
        if event.number not in self._begun:
            self._begun.add(event.number)
            self._attempts[event.number] += 1
            changes |= {"attempts": self._attempts[event.number], "started": _now(), "ended": None}
            LOGGER.info("%s: attempt %d, worker %s", case_name(event.number), changes["attempts"], event.worker)
        self._manifest.change(event.number, **changes)

    def _finished(self, event: Finished) -> None:
        if not stands(case_folder(self._request.out, event.number)):
            failure = Failure(
                ErrorCode.INTERNAL.value,
                "its worker says that it is done, but its results are not in the output folder",
                "all workers must see the same output folder",
            )
            self._has_failed(event.number, failure, event.seconds)
            return
        ended = {"ended": _now(), "seconds": event.seconds, "review": event.summary.get("review")}
        self._ends(event.number, {**SOUND, **ended, "state": CaseState.DONE})
        LOGGER.info("%s: done, %.1f s", case_name(event.number), event.seconds)

    def _has_failed(self, number: int, failure: Failure, seconds: float | None) -> None:
        if failure.code == ErrorCode.CANCELLED.value:
            self._waits_again([number])
            return
        if failure.code in OF_THE_BATCH:
            self._waits_again([number])
            raise MedUSISError(
                ErrorCode(failure.code),
                failure.message,
                f"{failure.hint}; then go on with the same command".removeprefix("; "),
                self._request.out if failure.code == ErrorCode.DISK_FULL.value else None,
            )
        LOGGER.warning("%s: %s: %s", case_name(number), failure.code, failure.message)
        if worth_another(failure.code, self._attempts[number], self._request.retries):
            self._tries_again(number, failure)
        else:
            self._fails(number, failure, seconds)

    def _died(self, event: Died) -> None:
        LOGGER.warning("worker %s died (%s)", event.worker, event.how)
        self._waits_again([number for number in event.waiting if number in self._in_hand])
        failure = Failure(
            ErrorCode.INTERNAL.value,
            f"its worker died ({event.how})",
            "the system may have ended it for lack of memory: fewer --workers, or a smaller --batch-size",
        )
        for number in event.working:
            if number not in self._in_hand:
                continue
            if worth_another_after_death(self._attempts[number], self._request.retries):
                self._tries_again(number, failure)
            else:
                self._fails(number, failure, None)

    def _tries_again(self, number: int, failure: Failure) -> None:
        words = {"code": failure.code, "message": failure.message, "hint": failure.hint}
        self._manifest.change(number, **{**AGAIN, **words})
        self._in_hand.discard(number)
        self._begun.discard(number)
        self._waiting.append(number)

    def _fails(self, number: int, failure: Failure, seconds: float | None) -> None:
        self._failed += 1
        words = {"code": failure.code, "message": failure.message, "hint": failure.hint}
        self._ends(number, {**words, "state": CaseState.FAILED, "ended": _now(), "seconds": seconds})
        self._progress.warning("CASE_FAILED", f"{case_name(number)}: {failure.code}: {failure.message}")

    def _ends(self, number: int, changes: dict[str, object]) -> None:
        self._manifest.change(number, **changes)
        self._in_hand.discard(number)
        self._begun.discard(number)
        self._say_how_far()
        if time.monotonic() - self._wrote > _OFTEN_S:
            self._wrote = time.monotonic()
            self._every_so_often()

    def _waits_again(self, numbers: Iterable[int]) -> None:
        """As if they had not been begun: it was not their fault."""
        for number in numbers:
            if number in self._begun:
                self._attempts[number] -= 1
            self._manifest.change(number, **{**AGAIN, "attempts": self._attempts[number]})
            self._in_hand.discard(number)
            self._begun.discard(number)
            self._waiting.appendleft(number)

    def _give_up(self) -> None:
        """End the workers; what they had in hand waits again, as far as that can still be written."""
        self._pool.close()
        try:
            self._waits_again(sorted(self._in_hand, reverse=True))
        except MedUSISError as error:  # a full disk: whoever goes on finds out (`settling`)
            LOGGER.warning("the manifest cannot be written: %s", error.code.value)

    def _say_how_far(self) -> None:
        self._progress.step(self._total - len(self._waiting) - len(self._in_hand), self._total)
        if self._failed:
            self._progress.metric("failed", self._failed)


def _now() -> datetime:
    return datetime.now(UTC)
