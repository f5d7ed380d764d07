"""Which pool does the cases of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from MedUSISLib.batch.local_pool import LocalPool
from MedUSISLib.batch.pool import WorkerPool
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.sizing import Sizing
from MedUSISLib.progress import Progress
from MedUSISLib.runs.identity import ProcessIdentity


def make_pool(
    request: BatchRequest,
    sizing: Sizing,
    inputs: Sequence[Path],
    progress: Progress,
    on_output: Callable[[str], None],
    on_workers: Callable[[list[ProcessIdentity]], None],
) -> WorkerPool:
    """Workers on this machine, or on a cluster when the request names one.

    Parameters
    ----------
    request : BatchRequest
    sizing : Sizing
        Of this machine.
    inputs : sequence of Path
        CTs of the cases that wait; all nodes of a cluster must see them.
    progress : Progress
        May cancel while a cluster is opened.
    on_output : callable
        Hears what workers print.
    on_workers : callable
        Told which processes of this machine work.

    Raises
    ------
    MedUSISError
        Those of `ray_pool.RayPool`.
    """
    if request.cluster is None:
        return LocalPool(request, sizing.places, on_output, on_workers)
    from MedUSISLib.batch.ray_pool import RayPool

    workers = len(sizing.places)
    return RayPool(request, workers, sizing.worker_bytes, inputs, on_output, on_workers, progress)
