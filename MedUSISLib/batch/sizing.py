"""How many workers a machine carries: by its devices, its cores, and the memory that the largest case takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from MedUSISLib.batch.case import BatchCase
from MedUSISLib.batch.local_pool import Place
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.errors import MedUSISError

if TYPE_CHECKING:
    from MedUSISLib.generators.manifest import Manifest as GeneratorManifest
    from MedUSISLib.imaging.geometry import Geometry

CORES_EACH = 4
"""Of a worker on the CPU: a network of slices gains little from more threads."""
_SHARE = 0.8
"""Of the free memory that workers may take."""
_IN_OTHER_STAGES = 24
"""Bytes per voxel of the CT for the two cases that are read and written meanwhile: 4 for a case that is read (with as
much again while its body is found), 16 for one that is measured (see `synthesis.memory_estimate`)."""
_LOOKED_AT = 8


@dataclass(frozen=True)
class Sizing:
    """Where workers compute, and the memory that each is expected to take (None: unknown)."""

    places: tuple[Place, ...]
    worker_bytes: int | None
    free_bytes: int

    @property
    def is_tight(self) -> bool:
        """Whether the workers may take more memory than there is."""
        return self.worker_bytes is not None and len(self.places) * self.worker_bytes > self.free_bytes


def size_up(request: BatchRequest, cases: Sequence[BatchCase], generator: GeneratorManifest) -> Sizing:
    """Places for the workers of a batch on this machine.

    With accelerators one worker each; on the CPU one for every `CORES_EACH` cores, as far as the memory allows. What
    the request says comes first.

    Raises
    ------
    MedUSISError
        DEPENDENCY_MISSING when torch cannot be asked for this machine's accelerators.
    """
    devices = _devices(request.device)
    cores = usable_cores()
    free = psutil.virtual_memory().available
    needed = worker_bytes(request, cases, generator, devices[0] == "cpu")
    if request.workers is not None:
        count = request.workers
    else:
        count = cores // CORES_EACH if devices[0] == "cpu" else len(devices)
        if needed is not None:
            count = min(count, int(_SHARE * free / needed))
    count = max(1, min(count, len(cases)))
    threads = None if "OMP_NUM_THREADS" in os.environ else max(1, cores // count)
    return Sizing(tuple(Place(devices[n % len(devices)], threads) for n in range(count)), needed, free)


def worker_bytes(
    request: BatchRequest, cases: Sequence[BatchCase], generator: GeneratorManifest, on_cpu: bool
) -> int | None:
    """Memory that a worker takes at its peak, with the largest case computing while two like it are read and written.

    None when no header of the cases that were looked at (the largest files) can be read.
    """
    from MedUSISLib.synthesis.memory_estimate import estimated_peak_bytes

    largest = 0
    for case in _largest(cases):
        grid = _grid_of(case)
        if grid is not None:
            settings: dict[str, Any] = {"batch_size": request.batch_size, "noise_samples": request.noise_samples}
            peak = estimated_peak_bytes(grid, generator, request.mode, on_cpu=on_cpu, **settings)
            largest = max(largest, peak + _IN_OTHER_STAGES * grid.size_ijk[0] * grid.size_ijk[1] * grid.size_ijk[2])
    return largest or None


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _largest(cases: Sequence[BatchCase]) -> list[BatchCase]:
    """The largest files, and folders, whose size nobody knows without looking into them."""

    def size(case: BatchCase) -> float:
        try:
            return float("inf") if case.ct.is_dir() else case.ct.stat().st_size
        except OSError:
            return 0.0

    return sorted(cases, key=size, reverse=True)[:_LOOKED_AT]


def _grid_of(case: BatchCase) -> Geometry | None:
    from MedUSISLib.imaging.dicom_series import series_files, series_geometry
    from MedUSISLib.imaging.reading import read_geometry

    try:
        if case.ct.is_dir():
            return series_geometry(series_files(case.ct, case.ct_series or ""))
        return read_geometry(case.ct)
    except MedUSISError:
        return None
    except Exception:  # damaged headers make libraries fail in any way; whoever reads the case will say how
        return None


def _devices(wanted: str) -> list[str]:
    """Devices to spread the workers over; torch, which knows them, is asked in a process of its own."""
    from MedUSISLib.generators.device_probe import has_nvidia_driver, list_devices

    if wanted not in ("auto", "cuda") or not has_nvidia_driver():
        return ["cpu" if wanted == "auto" else wanted]
    cuda = [device.id for device in list_devices().devices if device.id.startswith("cuda")]
    return cuda or ["cpu" if wanted == "auto" else wanted]
