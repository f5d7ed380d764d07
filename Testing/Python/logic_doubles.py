"""Doubles around the logic of the module: an ear for its signals, inputs that need no images, a scripted process."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import fake_worker
import psutil

from MedUSISLib.jobs.process import ProcessListener
from MedUSISLib.mrml.preparation import PreparedInputs
from MedUSISLib.mrml.settings import OutputChoice, SynthesisInputs
from MedUSISLib.mrml.worker import Worker

SIGNALS = (
    "stage", "progressed", "advanced", "previewed", "warned", "logged", "finished", "failed", "cancelled",
)  # fmt: skip
OUTCOMES = ("finished", "failed", "cancelled")
PATIENT = "Doe^Jane 1962"
PATIENCE_S = 50.0
"""Of a busy machine; children that only sleep would end by themselves after 60 seconds."""


class Ear:
    """Hears every signal of a logic, in order."""

    def __init__(self, logic: Any) -> None:
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        for name in SIGNALS:
            getattr(logic, name).connect(self._listener(name))

    def _listener(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.heard.append((name, arguments))

    def all(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for heard, arguments in self.heard if heard == name]

    def names(self) -> list[str]:
        return [name for name, _ in self.heard]

    def outcomes(self) -> list[str]:
        return [name for name in self.names() if name in OUTCOMES]


class ScriptedProcess:
    """A process that says what it is told to say, in this thread."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.asked_to_stop = False
        self.listener: ProcessListener

    def start(self, command: Sequence[str], environment: Mapping[str, str], listener: ProcessListener) -> None:
        self.pid, self.command, self.listener = 2**22 + 1, tuple(command), listener

    def ask_to_stop(self) -> None:
        self.asked_to_stop = True

    def wait(self, timeout_s: float) -> bool:
        self.listener.finished(-9)
        return True

    def say(self, line: str) -> None:
        self.listener.output_line(line)

    def succeed(self) -> None:
        self.say('{"event": "result", "out": "somewhere"}')
        self.listener.finished(0)


class Later:
    """A timer that rings when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[int, Callable[[], None]]] = []

    def __call__(self, milliseconds: int, function: Callable[[], None]) -> None:
        self.waiting.append((milliseconds, function))


def scripted_worker(process: ScriptedProcess, later: Later | None = None) -> Worker:
    return Worker(lambda: process, lambda: ("worker",), later)  # type: ignore[arg-type,return-value]


def behaving_worker(behaviour: str) -> Worker:
    """A real child process that behaves as ``fake_worker`` says, whatever job it is given."""
    return Worker(command=lambda: (sys.executable, fake_worker.__file__, "--behaviour", behaviour))


def nodes(scene: Any) -> SynthesisInputs:
    """Empty nodes that bear a patient's name."""
    ct = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", PATIENT)
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{PATIENT} segmentation")
    return SynthesisInputs(ct, segmentation, {})


class Inputs:
    """In the place of ``prepare_inputs``: files without an image."""

    def __init__(self, warnings: tuple[tuple[str, str], ...] = ()) -> None:
        self.folders: list[Path] = []
        self.warnings = warnings

    def __call__(self, inputs: SynthesisInputs, schema: Any, folder: Path) -> PreparedInputs:
        self.folders.append(folder)
        assert os.stat(folder).st_mode & 0o777 == 0o700
        for name in ("ct.nii", "segmentation.nii", "labels.csv"):
            (folder / name).write_text("a patient's data")
        files = (folder / "ct.nii", folder / "segmentation.nii", folder / "labels.csv")
        return PreparedInputs(*files, segmentation_was_resampled=True, warnings=self.warnings)


class Loading:
    """In the place of ``load_results``: remembers what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[Path, Any, OutputChoice]] = []

    def __call__(self, folder: Path, ct: Any, outputs: OutputChoice, made_on: Any) -> str:
        self.calls.append((folder, ct, outputs))
        return "nodes"


def is_gone(pid: int) -> bool:
    """True when the process has ended; a zombie has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def all_gone(pids: Collection[int]) -> bool:
    """True when all of these have ended; a busy machine needs a while for those that were killed."""
    end = time.monotonic() + PATIENCE_S
    while not (gone := all(is_gone(pid) for pid in pids)) and time.monotonic() < end:
        time.sleep(0.01)
    return gone
