"""Memory of a training: estimated before the start, and what is done when it runs out."""

from __future__ import annotations

import gc

import torch

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.progress import Progress
from MedUSISLib.training.estimate import estimate
from MedUSISLib.training.generator_state import GeneratorState
from MedUSISLib.training.run_log import RunLog
from MedUSISLib.trouble import is_out_of_memory


def say_estimate(state: GeneratorState, log: RunLog, progress: Progress) -> None:
    """Memory and time that the training will take, before it begins."""
    progress.stage("estimating memory and time")
    try:
        classes = state.schema.number_of_classes
        found = estimate(state.networks, state.configuration, classes, state.accumulate, state.iteration)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        progress.warning("MEMORY_TIGHT", "the memory does not suffice for one slice of this size")
        return
    needed, free, hours = found.memory_bytes / 1e9, found.free_bytes / 1e9, found.seconds / 3600
    log.say(
        state.iteration,
        estimated_memory_gb=round(needed, 2),
        free_gb=round(free, 2),
        estimated_hours=round(hours, 3),
    )
    progress.stage(f"estimate: {needed:.1f} GB of memory, {found.duration} for the steps")
    progress.metric("estimated_memory_gb", needed, iteration=state.iteration)
    progress.metric("estimated_hours", hours, iteration=state.iteration)
    if not found.fits:
        progress.warning(
            "MEMORY_TIGHT",
            f"about {needed:.1f} GB are needed and {free:.1f} GB are free: a higher `accumulate` needs less",
        )


def divide(state: GeneratorState, slices: int, log: RunLog, progress: Progress) -> None:
    """Memory ran out: smaller parts, as many more of them; the step is to be done again with the same slices.

    Raises
    ------
    MedUSISError
        ``OUT_OF_MEMORY`` when there is nothing left to divide, or several processes would have to agree on it.
    """
    if state.fabric.world_size > 1:
        raise MedUSISError(
            ErrorCode.OUT_OF_MEMORY,
            "the memory of one of several processes ran out in the middle of a step",
            "set a higher `accumulate` and go on with --resume",
        )
    if state.accumulate >= slices:
        raise MedUSISError(
            ErrorCode.OUT_OF_MEMORY,
            "the memory does not suffice for training with one slice at a time",
            "choose a smaller data.crop or network, precision bf16-mixed, or another device",
        )
    gc.collect()
    if state.fabric.device.type == "cuda":
        torch.cuda.empty_cache()
    state.accumulate = min(2 * state.accumulate, slices)
    log.say(state.iteration, out_of_memory=True, accumulate=state.accumulate)
    progress.warning(
        "OUT_OF_MEMORY",
        f"memory ran out: the {slices} slices of a step now go through the networks in {state.accumulate} parts",
    )
