"""The job "estimate-training": is all there that a training needs, and what will it take? Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.progress import Progress
from MedUSISLib.training.configuration import GeneratorTraining, SegmentatorTraining


@dataclass(frozen=True)
class TrainingEstimate:
    """What a training will take; preparing the data, validation and export come on top.

    Attributes
    ----------
    memory_bytes, free_bytes : int
        Of the device (on a CPU: of the computer), needed at the peak and free now.
    seconds : float
        Of all steps.
    device : str
        Where it was measured: "cpu", "cuda:0".
    """

    memory_bytes: int
    free_bytes: int
    seconds: float
    device: str

    def summary(self) -> dict[str, Any]:
        """For the result event."""
        return {
            "memory_bytes": self.memory_bytes,
            "free_bytes": self.free_bytes,
            "seconds": round(self.seconds, 1),
            "device": self.device,
        }


def estimate_training(
    configuration: GeneratorTraining | SegmentatorTraining, progress: Progress | None = None
) -> TrainingEstimate:
    """Check the data of a training, build its networks and let one slice go through them.

    Raises
    ------
    MedUSISError
        Whatever the training itself would say before its first step: ``BAD_SETTING``, ``GENERATOR_NOT_FOUND``,
        ``INPUT_NOT_READABLE``, ``DEVICE_NOT_AVAILABLE``; ``OUT_OF_MEMORY`` when one slice is too much already.
    """
    progress = progress or Progress()
    if not isinstance(configuration, GeneratorTraining):
        raise MedUSISError(ErrorCode.BAD_SETTING, "only the training of a generator can be estimated")
    from MedUSISLib.training.dataset_data import with_dataset
    from MedUSISLib.training.estimate import estimate
    from MedUSISLib.training.generator_run import GeneratorRun
    from MedUSISLib.trouble import is_out_of_memory

    progress.stage("checking the data")
    configuration = with_dataset(configuration)
    progress.stage("building the networks")
    run = GeneratorRun(configuration.model_copy(update={"devices": 1, "nodes": 1}), progress)
    progress.checkpoint()
    progress.stage("estimating memory and time")
    try:
        found = estimate(run.state.networks, configuration, run.schema.number_of_classes, configuration.accumulate)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise MedUSISError(
            ErrorCode.OUT_OF_MEMORY,
            "the memory does not suffice for one slice of this size",
            "close other programs, or choose another device",
        ) from None
    return TrainingEstimate(found.memory_bytes, found.free_bytes, found.seconds, str(run.fabric.device))
