"""Batches: how many images at once, and what to do when the device's memory does not suffice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.progress import Progress
from MedUSISLib.trouble import is_out_of_memory

Item = TypeVar("Item")
Result = TypeVar("Result")

_SLICE = 256 * 256
_LEAST_ON_CPU = 2 * _SLICE
"""What `memory_estimate` counts with."""
_MOST_ON_ACCELERATOR = 16 * _SLICE
_BYTES_PER_PIXEL = 800
"""In flight: the widest features of the standard generator, measured."""
_SHARE = 0.25
"""Of the free memory that images beyond the least number may take."""


def default_batch_size(device: torch.device, pixels_per_image: int, free_bytes: int | None = None) -> int:
    """Images at once: on a CPU one for each core (each core draws its own), at most sixteen slices on an accelerator.

    More than two 256x256 slices are taken only when a quarter of the free memory holds them.

    Parameters
    ----------
    device : torch.device
    pixels_per_image : int
        Pixels (voxels) of a slice or window.
    free_bytes : int, optional
        Free memory of the device; asked for by default.
    """
    pixels = max(1, pixels_per_image)
    if free_bytes is None:
        free_bytes = _free_bytes(device)
    wished = _MOST_ON_ACCELERATOR if device.type == "cuda" else torch.get_num_threads() * _SLICE
    fitting = min(wished, int(_SHARE * free_bytes / _BYTES_PER_PIXEL))
    return max(1, max(fitting, _LEAST_ON_CPU) // pixels)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return int(psutil.virtual_memory().available)


class BatchRunner:
    """Feeds images to the network in batches; when memory runs out, halves the batch once, then goes to the CPU.

    Parameters
    ----------
    size : int
        Images in a batch.
    device : torch.device
    to_cpu : callable, optional
        Moves the network to the CPU; ``None`` when the user does not allow it.
    progress : Progress
    """

    def __init__(
        self, size: int, device: torch.device, progress: Progress, to_cpu: Callable[[], None] | None = None
    ) -> None:
        self.size = max(1, size)
        self._device = device
        self._to_cpu = to_cpu if device.type != "cpu" else None
        self._progress = progress
        self._halved = False

    def attempt(self, work: Callable[[int], Result]) -> Result:
        """Call ``work`` with the batch size, again with a smaller one when memory runs out.

        ``work`` must change nothing until it is complete, because it is called again after a failure.

        Raises
        ------
        MedUSISError
            OUT_OF_MEMORY after the retry; CANCELLED.
        """
        while True:
            self._progress.checkpoint()
            try:
                return work(self.size)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            # outside the handler: the exception's traceback would keep the tensors of the failed batch alive
            self._reduce()

    def run(self, items: Sequence[Item], work: Callable[[Sequence[Item]], None]) -> Iterator[int]:
        """Call ``work`` on consecutive parts of ``items``; yields how many were done after each part."""
        position = 0

        def next_part(size: int) -> int:
            part = items[position : position + size]
            work(part)
            return len(part)

        while position < len(items):
            position += self.attempt(next_part)
            yield position

    def _reduce(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        if not self._halved and self.size > 1:
            self._halved = True
            self.size = max(1, self.size // 2)
            self._progress.warning("OUT_OF_MEMORY", f"memory ran out: going on with batches of {self.size}")
            return
        if self._to_cpu is not None:
            self._to_cpu()
            self._to_cpu = None
            self._device = torch.device("cpu")
            self.size = 1
            self._progress.warning("OUT_OF_MEMORY", "the accelerator's memory does not suffice: going on with the CPU")
            return
        raise MedUSISError(
            ErrorCode.OUT_OF_MEMORY,
            f"memory does not suffice for a batch of {self.size}",
            "close other programs, or use --batch-size 1, --mode window or --device cpu",
        )
