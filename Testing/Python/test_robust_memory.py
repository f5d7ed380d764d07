"""Memory runs out, at every stage: the work goes on with less of it, or ends by name with nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_worker
import limited_child
import numpy as np
import pytest
import torch
from tiny_generator import head_phantom, tiny_bundle

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.jobs.events import Failure
from MedUSISLib.jobs.failures import named_error
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.batches import BatchRunner
from MedUSISLib.synthesis.engine import synthesize
from MedUSISLib.synthesis.request import SynthesisRequest
from MedUSISLib.trouble import is_out_of_memory

OF_LIBRARIES = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("itk::ERROR: ImportImageContainer(0x55): Failed to allocate memory for image."),
    RuntimeError("std::bad_alloc"),
    RuntimeError("could not create a primitive"),
    OSError(12, "Cannot allocate memory"),
]


class Heard(Progress):
    def __init__(self) -> None:
        self.codes: list[str] = []

    def warning(self, code: str, message: str) -> None:
        self.codes.append(code)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("inputs")
    ct, labels = head_phantom(Geometry((40, 36, 12), (2.0, 2.0, 4.0), (-39.0, -35.0, -22.0)))
    write_volume(ct, folder / "ct.nii.gz")
    write_volume(labels, folder / "seg.nii.gz")
    generator = str(tiny_bundle(folder / "tiny").directory)
    files = {"ct": str(folder / "ct.nii.gz"), "segmentation": str(folder / "seg.nii.gz"), "labels": "head"}
    return {**files, "generator": generator, "passes": 1, "device": "cpu"}


@pytest.mark.fault
@pytest.mark.parametrize("error", OF_LIBRARIES, ids=lambda error: f"{type(error).__name__}: {error}"[:40])
def test_every_librarys_way_to_say_it_is_known(error: Exception) -> None:
    assert is_out_of_memory(error) and named_error(error).code is ErrorCode.OUT_OF_MEMORY and named_error(error).hint


def failing(function: Callable[..., Any], call: int, error: Exception) -> Callable[..., Any]:
    """The function, whose call with this number (from 0) runs out of memory."""
    calls = -1

    def instead(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise error
        return function(*arguments, **options)

    return instead


STAGES = [
    ("reading the CT", "MedUSISLib.synthesis.inputs.read_volume", 0),
    ("reading the labels", "MedUSISLib.synthesis.inputs.read_label_map", 0),
    ("finding the body", "MedUSISLib.synthesis.inputs.body_mask", 0),
    ("conforming", "MedUSISLib.imaging.conform.resample", 0),
    ("loading the network", "MedUSISLib.generators.bundle.read_weights", 0),
    pytest.param("restoring", "MedUSISLib.synthesis.engine.restore", 1, marks=pytest.mark.long),
    pytest.param("segmenting again", "MedUSISLib.synthesis.engine.look_again", 0, marks=pytest.mark.long),
    ("measuring", "MedUSISLib.synthesis.quality.quality_report", 0),
    pytest.param("drawing the report", "MedUSISLib.synthesis.report.write_report", 0, marks=pytest.mark.long),
    ("writing", "MedUSISLib.synthesis.writing.write_volume", 1),
]


def target_of(name: str) -> tuple[Any, str]:
    import importlib

    module, _, attribute = name.rpartition(".")
    return importlib.import_module(module), attribute


@pytest.mark.fault
@pytest.mark.parametrize(("stage", "place", "call"), STAGES)
def test_memory_that_runs_out_in_a_stage_is_named_and_leaves_nothing(
    inputs: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, place: str, call: int
) -> None:
    module, attribute = target_of(place)
    monkeypatch.setattr(module, attribute, failing(getattr(module, attribute), call, MemoryError("a patient's file")))
    with pytest.raises((MemoryError, MedUSISError)) as caught:
        synthesize(SynthesisRequest(**inputs, out=tmp_path / "out"))
    named = named_error(caught.value)
    assert named.code is ErrorCode.OUT_OF_MEMORY and named.hint and "patient" not in str(named)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault
@pytest.mark.parametrize("call", [0, pytest.param(2, marks=pytest.mark.long)])
def test_memory_that_runs_out_in_the_first_or_a_later_batch_costs_time_only(
    inputs: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    from MedUSISLib.synthesis.passes import PassSampler

    progress = Heard()
    wanted = synthesize(SynthesisRequest(**inputs, out=tmp_path / "good", batch_size=2)) if call == 0 else None
    monkeypatch.setattr(PassSampler, "maps", failing(PassSampler.maps, call, OF_LIBRARIES[2]))
    result = synthesize(SynthesisRequest(**inputs, out=tmp_path / "out", batch_size=2), progress)
    assert "OUT_OF_MEMORY" in progress.codes and (tmp_path / "out" / "report.html").is_file()
    if wanted is not None:
        assert np.abs(result.mr.array_kji - wanted.mr.array_kji).max() < 1e-5


@pytest.mark.fault
def test_memory_that_runs_out_again_and_again_is_named(
    inputs: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedUSISLib.synthesis.passes import PassSampler

    def always(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(PassSampler, "maps", always)
    with pytest.raises(MedUSISError) as caught:
        synthesize(SynthesisRequest(**inputs, out=tmp_path / "out", batch_size=2))
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY and "batch" in caught.value.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault
@pytest.mark.parametrize("allowed", [True, False])
def test_an_accelerator_without_memory_is_left_for_the_cpu_if_allowed(allowed: bool) -> None:
    """A double of a GPU: every batch fails until the network was moved."""
    moved: list[bool] = []
    progress = Heard()
    to_cpu = (lambda: moved.append(True)) if allowed else None
    runner = BatchRunner(4, torch.device("cuda"), progress, to_cpu)

    def work(size: int) -> int:
        if not moved:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return size

    if allowed:
        assert runner.attempt(work) == 1 and progress.codes == ["OUT_OF_MEMORY"] * 2
    else:
        with pytest.raises(MedUSISError) as caught:
            runner.attempt(work)
        assert caught.value.code is ErrorCode.OUT_OF_MEMORY


@pytest.mark.fault
@pytest.mark.parametrize("place", ["generator_run.Judge.__call__", "export.export_generator"])
def test_a_training_that_lacks_memory_elsewhere_keeps_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """When it validates, and when it exports what it has trained; ``--resume`` goes on from there."""
    from training_example import tiny_training

    from MedUSISLib.training.checkpoints import LAST
    from MedUSISLib.training.run import train

    def lack(*_: Any, **__: Any) -> Any:
        raise OF_LIBRARIES[2]

    monkeypatch.setattr(f"MedUSISLib.training.{place}", lack)
    phases = ({"name": "l1", "iterations": 2, "l1": 1},)
    configuration = tiny_training(tmp_path, phases=phases, checkpoint_every=1, validate_every=2)
    with pytest.raises((RuntimeError, MedUSISError)) as caught:
        train(configuration, Progress())
    assert named_error(caught.value).code is ErrorCode.OUT_OF_MEMORY
    assert (configuration.out / LAST).is_file() and not list(configuration.out.glob("bundle/*/manifest.json"))


@pytest.mark.fault
def test_a_library_that_ends_the_process_for_lack_of_memory_is_understood(tmp_path: Path) -> None:
    parameters = {"behaviour": "end_for_lack_of_memory", "out": str(tmp_path / "out")}
    job = JobSpecification(kind="fake", parameters=parameters)
    *_, last = Launcher(job, command=fake_worker.COMMAND, kinds=fake_worker.KINDS).events()
    assert isinstance(last, Failure) and last.code == "OUT_OF_MEMORY" and last.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="memory is limited as Linux does it")
def test_with_really_little_memory_jobs_end_by_name(inputs: dict[str, Any], tmp_path: Path) -> None:
    """The system refuses to give more than so much beyond what the loaded libraries have."""
    out = str(tmp_path / "out")
    job = {"kind": "synthesize", "parameters": {**inputs, "out": str(tmp_path / "out" / "result")}}
    sizes = (100_000, 5_000_000, 20_000_000)
    steps = [{"job": job, "limit": "memory", "bytes": size, "out": out} for size in sizes]
    run = subprocess.run(
        [sys.executable, limited_child.__file__], input=json.dumps(steps), capture_output=True, text=True, check=False
    )
    if run.returncode != 0:  # OpenBLAS ends the process itself: its launcher tells by its words
        assert is_out_of_memory(RuntimeError(run.stderr)), run.stderr
        return
    told = json.loads(run.stdout)
    assert [one["code"] for one in told] == [30] * len(sizes), [one["last"] for one in told]
    assert all(one["left"] == [] for one in told)
