"""The workers of a batch on a Ray cluster: started, fed, heard, and replaced when they die."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from MedUSISLib.batch.active_time import ActiveTime, did_nothing, too_long
from MedUSISLib.batch.cluster_lease import LEASE_S, MARGIN_S
from MedUSISLib.batch.pool import Began, CaseTask, Died, Failed, Finished, PoolEvent, Rests
from MedUSISLib.batch.ray_actor import CaseActor
from MedUSISLib.batch.ray_plan import ActorPlan
from MedUSISLib.batch.ray_session import RaySession
from MedUSISLib.batch.sharing_out import free_place
from MedUSISLib.batch.wire import Broken, WorkerSettings, from_line
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.stillness import limit_s, sample_s

_POLL_S = 5.0
_AGAIN_S = 0.2
_BARREN = 3
"""So many workers in a row that die before they take a case: no case is to blame."""


@dataclass
class _Slot:
    """A place for a worker, and the one that has it now."""

    name: str
    actor: Any = None
    working: bool = False
    """It said that it is ready."""
    begun: bool = False
    """It has begun a case."""
    asked: Any = None
    """The call that it has not answered yet."""
    after: int = 0
    """Number of its last event that we have."""
    heard_at: float = 0.0
    gone_at: float | None = None
    """It is dead, and from this time on surely so."""
    how: str = ""
    cases: dict[int, CaseTask] = field(default_factory=dict)


class RayWorkers:
    """Actors in as many slots as the plan has, with the cases that they have in hand.

    No case waits inside Ray: a worker is given `pipeline.IN_HAND` of them at most, the others stay here.

    A worker whose process is known to be dead is replaced at once. One that cannot be reached may be alive on the
    other side of a broken line; its cases are given to others only when its lease is over, so that no two workers
    write the same case.

    Parameters
    ----------
    session : RaySession
    plan : ActorPlan
    settings : WorkerSettings
    generator_sha256 : str
    say : callable
        Hears the events.
    lease_s : float
        See `cluster_lease.LEASE_S`.
    """

    def __init__(
        self,
        session: RaySession,
        plan: ActorPlan,
        settings: WorkerSettings,
        generator_sha256: str,
        say: Callable[[PoolEvent], None],
        lease_s: float = LEASE_S,
    ) -> None:
        self._ray, self._say, self._lease_s = session.ray, say, lease_s
        self._plan, self._settings, self._sha256 = plan, settings, generator_sha256
        self._waiting: deque[CaseTask] = deque()
        self._alone: set[int] = set()
        self._clocks = ActiveTime()
        self._stuck_s = limit_s()
        self._blamed: dict[int, Failure] = {}
        self._barren = 0
        self._slots = [_Slot(str(index + 1)) for index in range(plan.count)]
        for slot in self._slots:
            self._start(slot)

    def add(self, task: CaseTask) -> None:
        """A case to be done."""
        self._waiting.append(task)

    def work(self, timeout_s: float) -> None:
        """Give out what waits, and hear what there is to hear; waits ``timeout_s`` at most.

        Raises
        ------
        MedUSISError
            When no worker can be had.
        """
        self._give_out()
        self._end_what_takes_too_long()
        asked = {slot.asked: slot for slot in self._slots if slot.asked is not None}
        if asked:
            answered, _ = self._ray.wait(list(asked), num_returns=1, timeout=timeout_s)
            for reference in answered:
                self._hear(asked[reference], reference)
        else:
            time.sleep(timeout_s)
        for slot in self._slots:
            if slot.gone_at is not None and time.monotonic() >= slot.gone_at:
                self._replace(slot)

    def close(self) -> bool:
        """Kill all workers; whether all were seen to be dead, so that none writes anything afterwards."""
        for slot in self._slots:
            self._kill(slot)
        return all([self._is_dead(slot) for slot in self._slots])

    def _is_dead(self, slot: _Slot) -> bool:
        """Whether a killed worker says nothing any more; waits some seconds for that."""
        if slot.gone_at is not None:
            return time.monotonic() >= slot.gone_at
        errors = self._ray.exceptions
        end = time.monotonic() + MARGIN_S
        while time.monotonic() < end:
            try:
                self._ray.get(slot.actor.poll.remote(slot.after, [], 0.0), timeout=MARGIN_S)
            except (errors.ActorUnavailableError, errors.GetTimeoutError):
                pass
            except errors.RayError:
                return True
            except Exception:
                return False
            time.sleep(0.1)
        return False

    # -- one worker ------------------------------------------------------------------------------------------------

    def _start(self, slot: _Slot) -> None:
        options = dict(
            num_cpus=self._plan.cpus,
            num_gpus=self._plan.gpus,
            max_restarts=0,  # a new one is made here, which knows what became of the old one's cases
            max_task_retries=0,
            max_concurrency=4,
            scheduling_strategy="SPREAD",
        )
        settings = self._settings.model_copy(update={"device": self._plan.device, "worker": slot.name})
        look_s = 0.0 if self._stuck_s is None else sample_s(self._stuck_s)
        remote = self._ray.remote(CaseActor).options(**options)
        slot.actor = remote.remote(settings.model_dump_json(), self._sha256, self._lease_s, look_s)
        slot.working, slot.begun, slot.after, slot.gone_at, slot.how = False, False, 0, None, ""
        slot.heard_at = time.monotonic()
        slot.asked = slot.actor.ready.remote()

    def _hear(self, slot: _Slot, reference: Any) -> None:
        slot.asked = None
        exceptions = self._ray.exceptions
        try:
            answer = self._ray.get(reference)
        except exceptions.ActorUnavailableError:
            self._cannot_reach(slot)
            return
        except exceptions.RayError as error:
            self._has_died(slot, error)
            return
        slot.heard_at = time.monotonic()
        if slot.working:
            self._take_events(slot, answer)
            self._end_what_is_stuck(slot, answer.get("still_s", 0.0))
        else:
            self._begin(slot, answer)
        self._ask(slot)

    def _ask(self, slot: _Slot) -> None:
        given = [(task.number, task.attempt) for task in slot.cases.values()]
        slot.asked = slot.actor.poll.remote(slot.after, given, _POLL_S)

    def _begin(self, slot: _Slot, answer: dict[str, Any]) -> None:
        broken = from_line(answer["broken"])
        if isinstance(broken, Broken):
            error = broken.failure.error()
            raise MedUSISError(error.code, f"a worker on the cluster cannot begin: {error.message}", error.hint)
        slot.working = True

    def _take_events(self, slot: _Slot, answer: dict[str, Any]) -> None:
        for number in answer["lacks"]:
            if number in slot.cases:  # it was lost on the way
                slot.actor.feed.remote(slot.cases[number].model_dump_json())
        for number, line in answer["events"]:
            slot.after = number
            event = from_line(line)
            if event is None or isinstance(event, (Broken, Died)) or event.number not in slot.cases:
                continue
            if isinstance(event, Began):
                slot.begun, self._barren = True, 0
                self._clocks.begin(event.number)
            elif isinstance(event, Rests):
                self._clocks.rest(event.number)
            elif isinstance(event, (Finished, Failed)):
                self._has_ended(slot, event.number)
            self._say(event)

    def _cannot_reach(self, slot: _Slot) -> None:
        """Ask again; what it says in the meantime it keeps."""
        now = time.monotonic()
        if now - slot.heard_at > self._lease_s + MARGIN_S or not slot.working:
            self._kill(slot)
            slot.gone_at, slot.how = now, "it could not be reached any more"
        else:
            time.sleep(_AGAIN_S)
            self._ask(slot)

    def _has_died(self, slot: _Slot, error: Exception) -> None:
        text = str(error)
        if isinstance(error, self._ray.exceptions.OutOfMemoryError) or "running low on memory" in text:
            slot.gone_at, slot.how = time.monotonic(), "Ray ended it for lack of memory"
        elif "worker process has died" in text or "ray.kill" in text or not slot.working:
            slot.gone_at, slot.how = time.monotonic(), "its process died"
        else:
            # Its node is said to be dead, or the one who says so cannot see it: sure is only the end of its lease.
            slot.gone_at, slot.how = slot.heard_at + self._lease_s + MARGIN_S, "its node was lost"

    def _replace(self, slot: _Slot) -> None:
        """Say what became of its cases, and start another one."""
        had = sorted(slot.cases)
        blamed = {number: self._blamed[number] for number in had if number in self._blamed}
        others = [number for number in had if number not in blamed]
        # One that was ended because of a case says nothing about the others.
        working = [] if blamed else [number for number in others if self._clocks.working(number)]
        if not working and not blamed and slot.begun:
            working = others  # what it began last was on its way to us: any of them may have killed it
        waiting = [number for number in others if number not in working]
        for number in had:
            self._has_ended(slot, number)
        for number, failure in blamed.items():
            self._say(Failed(number, failure))
        if others:
            self._say(Died(slot.name, tuple(working), tuple(waiting), slot.how))
        if not slot.begun:
            self._barren += 1
            if self._barren >= _BARREN:
                raise MedUSISError(
                    ErrorCode.INTERNAL,
                    f"workers on the cluster end before they begin a case ({slot.how})",
                    "see Ray's logs on its nodes, and try 'medusis synthesize' with one case there",
                )
        self._start(slot)

    def _has_ended(self, slot: _Slot, number: int) -> None:
        slot.cases.pop(number, None)
        self._alone.discard(number)
        self._blamed.pop(number, None)
        self._clocks.forget(number)

    def _kill(self, slot: _Slot) -> None:
        with suppress(Exception):
            self._ray.kill(slot.actor, no_restart=True)

    # -- all of them -----------------------------------------------------------------------------------------------

    def _give_out(self) -> None:
        for task in list(self._waiting):
            in_hand = [slot.cases if slot.working and slot.gone_at is None else None for slot in self._slots]
            index = free_place(task, self._waiting, in_hand, self._alone)
            if index is not None:
                self._waiting.remove(task)
                if task.alone:
                    self._alone.add(task.number)
                slot = self._slots[index]
                slot.cases[task.number] = task
                slot.actor.feed.remote(task.model_dump_json())

    def _end_what_takes_too_long(self) -> None:
        limit = self._settings.request.time_limit_s
        for number in self._clocks.over(limit) if limit is not None else ():
            if number not in self._blamed:
                self._blamed[number] = too_long(limit or 0.0)
                for slot in self._slots:
                    if number in slot.cases:
                        self._kill(slot)

    def _end_what_is_stuck(self, slot: _Slot, still_s: float) -> None:
        """A worker that answers, while nothing of what computes, reads and writes in it has moved for too long."""
        if self._stuck_s is None or still_s < self._stuck_s or not slot.cases:
            return
        for number in filter(self._clocks.working, sorted(slot.cases)):
            self._blamed.setdefault(number, did_nothing(self._stuck_s))
        self._kill(slot)
