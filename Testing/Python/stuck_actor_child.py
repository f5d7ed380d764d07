"""A worker of a real Ray cluster that takes a case and does nothing; the events that its batch hears, one a line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from MedUSISLib.batch import ray_workers
from MedUSISLib.batch.cluster_address import ClusterAddress
from MedUSISLib.batch.pool import Began, CaseTask, Failed, Finished, PoolEvent
from MedUSISLib.batch.ray_actor import CaseActor
from MedUSISLib.batch.ray_plan import ActorPlan
from MedUSISLib.batch.ray_session import ray_session
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.states import CaseState
from MedUSISLib.batch.wire import WorkerSettings, to_line
from MedUSISLib.errors import ErrorCode, MedUSISError


class Pipeline:
    """Case 1 never ends, the others do at once."""

    def __init__(self, say: Callable[[PoolEvent], None]) -> None:
        self._say = say

    def feed(self, case: CaseTask) -> None:
        self._say(Began(case.number, CaseState.READING, "1"))
        if case.number != 1:
            self._say(Finished(case.number, 0.0, {}))


class StuckActor(CaseActor):
    """Sent to Ray's worker with its code, because this is the main module."""

    def _make_pipeline(self) -> Any:
        return Pipeline(self._say)


def events(folder: Path) -> list[PoolEvent]:
    """Case 1, and when it has failed case 2."""
    ray_workers.CaseActor = StuckActor  # type: ignore[misc]
    request = BatchRequest(input=folder, out=folder / "out", cluster="local:1")
    heard: list[PoolEvent] = []
    with ray_session(ClusterAddress.parse("local:1"), 1) as session:
        workers = ray_workers.RayWorkers(
            session,
            ActorPlan(1, 1.0, 0.0),
            WorkerSettings(request=request, device="cpu", worker=""),
            "",
            heard.append,
        )
        for number, end in ((1, Failed), (2, Finished)):
            workers.add(CaseTask(number=number, ct=folder / "a", segmentation=folder / "b", out=folder / "c"))
            while not any(isinstance(event, end) for event in heard):
                workers.work(0.2)
        workers.close()
    return heard


if __name__ == "__main__":
    for attempt in range(3):  # as a batch does: Ray gives up starting on a busy machine
        try:
            for event in events(Path(sys.argv[1])):
                print(to_line(event))
            break
        except MedUSISError as error:
            if error.code is not ErrorCode.DEVICE_NOT_AVAILABLE or attempt == 2:
                raise
