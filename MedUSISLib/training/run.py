"""The entrance to training: one configuration in, a trained network and its measurements out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.progress import Progress
from MedUSISLib.single_run import LOCK_SUFFIX, single_run
from MedUSISLib.training.configuration import GeneratorTraining, SegmentatorTraining
from MedUSISLib.training.launched import ANOTHER_ENDED

LOCK_NAME = f".training{LOCK_SUFFIX}"
"""Held in ``out`` by the training that writes there; the system releases it with the process."""


@dataclass(frozen=True)
class TrainingResult:
    """Where a training was written, its bundle, and what it reached on held-out people."""

    out: Path
    bundle: Path
    iterations: int
    figures: dict[str, float]


def train(configuration: GeneratorTraining | SegmentatorTraining, progress: Progress) -> TrainingResult:
    """Train to the end of the configuration, or continue an interrupted training (``configuration.resume``).

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` for settings that contradict one another or an output folder that is in use or cannot be
        written, those of reading the data, ``CANCELLED``.
    """
    from MedUSISLib.training.export import export_generator, export_segmentator

    _refuse_an_earlier_training(configuration)
    _check_writable(configuration.out, "the output folder")
    _check_writable(configuration.cache, "the cache")
    bundle = configuration.out / "bundle" / configuration.name
    if isinstance(configuration, GeneratorTraining):
        from MedUSISLib.training.dataset_data import with_dataset
        from MedUSISLib.training.fabric import leave, lost_another
        from MedUSISLib.training.generator_run import GeneratorRun

        run = GeneratorRun(with_dataset(configuration), progress)
        try:
            run.prepare()
            with _alone(configuration.out, run.agreement.leads):
                with progress.answering_wishes():
                    figures = run.run().figures()
                if run.agreement.leads:
                    export_generator(run, bundle)
        except RuntimeError as error:
            if not lost_another(error, run.fabric):
                raise
            raise MedUSISError(ErrorCode.INTERNAL, ANOTHER_ENDED, "its own message says why") from error
        finally:
            leave(run.fabric)
        return TrainingResult(configuration.out, bundle, run.state.iteration, figures)
    from MedUSISLib.training.segmentator_run import SegmentatorRun

    segmentator = SegmentatorRun(configuration, progress)
    segmentator.prepare()
    with _alone(configuration.out, leads=True):
        with progress.answering_wishes():
            dice = segmentator.run()
        export_segmentator(segmentator, bundle, dice)
    return TrainingResult(configuration.out, bundle, segmentator.iteration, dice)


def _refuse_an_earlier_training(configuration: GeneratorTraining | SegmentatorTraining) -> None:
    """Before the data is read, which takes minutes: a training is neither overwritten nor continued unasked."""
    from MedUSISLib.training.checkpoints import LAST

    if not configuration.resume and (configuration.out / LAST).is_file():
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "the output folder holds an earlier training",
            "continue it with --resume, or choose another folder",
            configuration.out,
        )


def _check_writable(folder: Path, role: str) -> None:
    """Before the data is read, too: try a nameless file in the folder, or in the first one above it that is there."""
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"{role} cannot be written ({error.strerror})",
            "choose a folder that you may write to",
            folder,
        ) from None


@contextmanager
def _alone(out: Path, leads: bool) -> Iterator[None]:
    """Raise BAD_SETTING when another training, in a terminal or in the background, writes into this folder."""
    if not leads:
        yield
        return
    out.mkdir(parents=True, exist_ok=True)
    with single_run(out / LOCK_NAME):
        yield
