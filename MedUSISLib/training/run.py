"""The entrance to training: one configuration in, a trained network and its measurements out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from MedUSISLib.progress import Progress
from MedUSISLib.training.configuration import GeneratorTraining, SegmentatorTraining


@dataclass(frozen=True)
class TrainingResult:
    """Where a training was written and what it reached on held-out people."""

    out: Path
    iterations: int
    figures: dict[str, float]


def train(
    configuration: GeneratorTraining | SegmentatorTraining, progress: Progress, resume: bool = False
) -> TrainingResult:
    """Train to the end of the configuration, or continue an interrupted training.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` for settings that contradict one another or an output folder in use, those of reading the
        data, ``CANCELLED``.
    """
    if isinstance(configuration, GeneratorTraining):
        from MedUSISLib.training.generator_run import GeneratorRun

        run = GeneratorRun(configuration, progress)
        run.prepare()
        figures = run.run(resume).figures()
        return TrainingResult(configuration.out, run.iteration, figures)
    from MedUSISLib.training.segmentator_run import SegmentatorRun

    segmentator = SegmentatorRun(configuration, progress)
    segmentator.prepare()
    dice = segmentator.run(resume)
    return TrainingResult(configuration.out, segmentator.iteration, dice)
