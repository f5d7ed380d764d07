"""A batch of made heads on a real Ray cluster, and what a test wants to know of its processes while it runs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from tiny_generator import head_phantom, tiny_bundle

from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.progress import Progress

PATIENT = "DOE_JANE_1962"
"""Planted into the names of all input files and folders."""
ACTOR = "ray::CaseActor"


def made_cases(folder: Path, count: int) -> BatchRequest:
    """Heads of 6 slices in files that name a patient, and a generator of 32 pixels."""
    for number in range(count):
        matrix = np.diag([6.0, 6.0, 8.0, 1.0])
        matrix[:3, 3] = -30.0, -30.0, number
        ct, labels = head_phantom(Geometry.from_affine_ras(matrix, (12, 12, 6)))
        person = folder / "in" / f"{PATIENT}_{number}"
        write_volume(ct, person / "ct.nii.gz")
        write_volume(labels, person / "seg.nii.gz")
    generator = tiny_bundle(folder / "tiny", size=(32, 32)).directory
    return BatchRequest(
        input=folder / "in", out=folder / "out", generator=str(generator), labels="head", passes=1, device="cpu"
    )


class WhenACaseEnds(Progress):
    """Calls a function once, in a thread of its own, when so many cases have ended; ``at_once`` before, in this one."""

    def __init__(self, ended: int, act: Callable[[], None], at_once: Callable[[], None] = lambda: None) -> None:
        self._ended, self._act, self._at_once = ended, act, at_once
        self.thread: threading.Thread | None = None
        self.warnings: list[str] = []
        self._stage = ""

    def stage(self, name: str) -> None:
        self._stage = name

    def step(self, done: int, total: int) -> None:
        if self._stage == "synthesizing" and done >= self._ended and self.thread is None:
            self.thread = threading.Thread(target=self._act)
            self._at_once()
            self.thread.start()

    def warning(self, code: str, message: str) -> None:
        self.warnings.append(f"{code}: {message}")


def processes(title: str) -> list[psutil.Process]:
    """Those that this process started, however indirectly, whose command line holds the words."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and title in " ".join(process.cmdline()):
                found.append(process)
    return found


def of_sessions(sessions: set[int]) -> list[int]:
    """Processes that belong to one of these sessions, those without a living parent among them."""
    found = []
    for pid in psutil.pids():
        with suppress(OSError):
            if os.getsid(pid) in sessions:
                found.append(pid)
    return found


def listening(found: list[psutil.Process]) -> set[str]:
    """Addresses at which these processes wait for somebody."""
    places = set()
    for process in found:
        with suppress(psutil.Error):
            places |= {c.laddr.ip for c in process.net_connections(kind="inet") if c.status == psutil.CONN_LISTEN}
    return places
