"""What a network can run on: the CPU, and every CUDA device that torch can use, with their memory.

MPS (Apple's GPU) is not listed, because the engine does not run on it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.requests import DevicesRequest
from MedUSISLib.generators.torch_trouble import (
    check_version,
    trouble_of_exit,
    trouble_of_import,
    warning_of,
    without_cuda,
)
from MedUSISLib.progress import Progress

TIMEOUT_S = 180.0
"""The first import of a fresh torch from a slow disk with a virus scanner has taken more than a minute."""


@dataclass(frozen=True)
class Device:
    """One device; memory in bytes."""

    id: str
    title: str
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class DeviceList:
    """What was found."""

    torch: str
    devices: tuple[Device, ...]

    def summary(self) -> dict[str, Any]:
        """As the job's result says it."""
        return {"torch": self.torch, "devices": [asdict(device) for device in self.devices]}


def list_devices(
    request: DevicesRequest | None = None,
    progress: Progress | None = None,
    ask_torch: Callable[[], dict[str, Any]] | None = None,
    driver_present: Callable[[], bool] | None = None,
) -> DeviceList:
    """List the devices; torch is imported in a further process, because that can end the process.

    Parameters
    ----------
    request : DevicesRequest, optional
        Has no fields.
    progress : Progress, optional
        Receives a warning when a GPU is there but cannot be used.
    ask_torch, driver_present : callable, optional
        For tests.

    Raises
    ------
    MedUSISError
        DEPENDENCY_MISSING when torch is absent, broken or too old; message and hint say why and what to do.
    """
    listener = progress or Progress()
    listener.stage("looking for devices")
    answer = (ask_torch or torch_answer)()
    if "error" in answer:
        raise trouble_of_import(answer["error"])
    check_version(str(answer["version"]))
    devices = tuple(Device(**device) for device in answer["devices"])
    driver = (driver_present or has_nvidia_driver)()
    if answer["cuda"] is None and driver:
        listener.warning(*without_cuda())
    elif answer["cuda"] is not None:
        for code, words in sorted({found for text in answer["warnings"] if (found := warning_of(text, driver))}):
            listener.warning(code, words)
    return DeviceList(str(answer["version"]), (_cpu(), *devices))


def torch_answer() -> dict[str, Any]:
    """What ``torch_report`` prints; DEPENDENCY_MISSING when its process dies or does not end."""
    search = [str(Path(__file__).resolve().parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(search), "PYTHONIOENCODING": "utf-8"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "MedUSISLib.generators.torch_report"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except subprocess.TimeoutExpired:
        raise MedUSISError(
            ErrorCode.DEPENDENCY_MISSING,
            f"PyTorch did not load within {TIMEOUT_S:.0f} s",
            "Try again; a virus scanner can make the first time very slow.",
        ) from None
    for line in reversed(done.stdout.splitlines()):
        if line.startswith("{"):
            answer: dict[str, Any] = json.loads(line)
            return answer
    raise trouble_of_exit(done.returncode)


def has_nvidia_driver() -> bool:
    """Whether an NVIDIA driver is installed; nothing is started."""
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia/version").exists()


def _cpu() -> Device:
    import psutil

    memory = psutil.virtual_memory()
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return Device("cpu", f"CPU ({cores} core{'s' if cores != 1 else ''})", int(memory.available), int(memory.total))
