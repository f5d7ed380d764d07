"""A worker reads one case while it computes another and writes a third, with three in memory at most."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_generator import head_phantom, tiny_bundle

from MedUSISLib.batch.active_time import ActiveTime
from MedUSISLib.batch.pipeline import CasePipeline
from MedUSISLib.batch.pool import Began, CaseTask, Failed, Finished, PoolEvent
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.states import CaseState
from MedUSISLib.batch.synthesis_stages import SynthesisStages
from MedUSISLib.batch.wire import from_line, to_line
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.engine import synthesize

PATIENCE_S = 120.0


def task(number: int, folder: Path = Path(), segmentation: Path | None = Path("seg.nii.gz")) -> CaseTask:
    return CaseTask(number=number, ct=folder / "ct.nii.gz", segmentation=segmentation, out=folder / f"out-{number}")


class Read:
    """What a stage gives to the next one."""

    def __init__(self, number: int) -> None:
        self.number = number


class MadeStages:
    """Stages that call ``at`` with their name and the case's number; counts what is in memory at once."""

    def __init__(self, at: Callable[[str, int], None]) -> None:
        self._at = at
        self._alive: weakref.WeakSet[Read] = weakref.WeakSet()
        self.most = 0

    def read(self, task: CaseTask, progress: Progress) -> Read:
        made = Read(task.number)
        self._alive.add(made)
        self.most = max(self.most, len(self._alive))
        self._at("read", task.number)
        return made

    def compute(self, read: Read, progress: Progress) -> Read:
        self._at("compute", read.number)
        return read

    def write(self, computed: Read, progress: Progress) -> dict[str, Any]:
        self._at("write", computed.number)
        return {}


def done(stages: Any, tasks: list[CaseTask]) -> list[PoolEvent]:
    """Everything that a pipeline says while it does the tasks."""
    events: list[PoolEvent] = []
    pipeline = CasePipeline(stages, events.append)
    for one in tasks:
        pipeline.feed(one)
    assert pipeline.close(600.0)  # of a busy machine
    return events


def test_three_stages_work_at_once() -> None:
    together = threading.Barrier(3)

    def meet(stage: str, number: int) -> None:
        if (stage, number) in {("write", 1), ("compute", 2), ("read", 3)}:
            together.wait(PATIENCE_S)

    events = done(MadeStages(meet), [task(n) for n in range(1, 6)])
    assert [event.number for event in events if isinstance(event, Finished)] == [1, 2, 3, 4, 5]


def test_no_more_than_three_cases_are_in_memory() -> None:
    slow = threading.Event()
    stages = MadeStages(lambda stage, number: slow.wait(0.02) and None if stage == "write" else None)
    done(stages, [task(n) for n in range(1, 12)])
    assert stages.most <= 3


def test_a_case_that_fails_in_any_stage_leaves_the_others_alone() -> None:
    def fail(stage: str, number: int) -> None:
        if (stage, number) in {("read", 1), ("compute", 2), ("write", 3)}:
            raise MedUSISError(ErrorCode.EMPTY_SEGMENTATION, stage)

    events = done(MadeStages(fail), [task(n) for n in range(1, 6)])
    failed = {event.number: event.failure.message for event in events if isinstance(event, Failed)}
    assert failed == {1: "read", 2: "compute", 3: "write"}
    assert [event.number for event in events if isinstance(event, Finished)] == [4, 5]


def test_a_cancelled_pipeline_gives_its_cases_up() -> None:
    events: list[PoolEvent] = []
    reached = threading.Event()
    pipeline = CasePipeline(MadeStages(lambda stage, number: reached.set()), events.append)
    pipeline.cancel()
    pipeline.feed(task(1))
    assert pipeline.close(PATIENCE_S) and not reached.is_set()
    assert [event.failure.code for event in events if isinstance(event, Failed)] == ["CANCELLED"]


def test_the_clock_of_a_case_stands_while_it_waits() -> None:
    clocks = ActiveTime()
    clocks.begin(1, at_s=0.0)
    clocks.rest(1, at_s=2.0)
    assert clocks.over(1.0, at_s=100.0) == [] and not clocks.working(1)
    clocks.begin(1, at_s=100.0)
    assert clocks.over(2.5, at_s=100.4) == [] and clocks.over(2.5, at_s=100.6) == [1]


@pytest.mark.parametrize(
    "event", [Began(3, CaseState.WRITING, "2"), Finished(1, 2.5, {"review": None}), Finished(1, 1.0)]
)
def test_events_travel_as_lines(event: PoolEvent) -> None:
    assert from_line(to_line(event)) == event


@pytest.mark.parametrize("line", ["", "null", "[]", "{}", '{"began": 3}', '{"died": {"number": 1}}', '{"no": {}}'])
def test_other_lines_are_no_events(line: str) -> None:
    assert from_line(line) is None


def test_networks_are_loaded_once_and_the_voxels_are_those_of_a_single_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tiny_bundle(tmp_path / "generator")
    ct, labels = head_phantom(Geometry((40, 40, 6), (1.5, 1.5, 6.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    write_volume(ct, tmp_path / "ct.nii.gz")
    write_volume(labels, tmp_path / "seg.nii.gz")
    loads: list[str] = []
    load = Bundle.load_network

    def counted(bundle: Bundle, *where: Any) -> Any:
        loads.append(bundle.manifest.id)
        return load(bundle, *where)

    monkeypatch.setattr(Bundle, "load_network", counted)
    given = {"input": tmp_path, "out": tmp_path, "generator": str(bundle.directory), "labels": "head", "passes": 1}
    request = BatchRequest.model_validate({**given, "segment": "head-seg"})
    stages = SynthesisStages(request, "cpu")
    stages.prepare()
    tasks = [task(1, tmp_path, tmp_path / "seg.nii.gz"), task(2, tmp_path, None)]
    events = done(stages, tasks)
    assert not [event for event in events if isinstance(event, Failed)]
    assert sorted(loads) == ["head-seg", "tiny"]
    alone = synthesize(request.synthesis(tasks[0].ct, tmp_path / "seg.nii.gz", tmp_path / "alone"))
    assert np.array_equal(read_volume(tasks[0].out / "mr.nii.gz").array_kji, alone.mr.array_kji)
    assert "PRIOR_ONLY" in (tasks[1].out / "quality.json").read_text()
