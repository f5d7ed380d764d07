"""What a training says before its first step: what it starts from."""

from __future__ import annotations

from MedUSISLib.progress import Progress
from MedUSISLib.training.generator_state import GeneratorState
from MedUSISLib.training.run_log import RunLog


def say_start(state: GeneratorState, log: RunLog, progress: Progress) -> None:
    """Keep what a fine-tuning starts from, and say what became of the classes."""
    start, settings = state.start, state.configuration.start_from
    if start is None or settings is None:
        return
    start.write(state.configuration.out)
    log.say(
        state.iteration,
        started_from=start.as_setting(),
        frozen=settings.frozen,
        trained_weights=state.networks.trained_weights,
    )
    if start.new or start.dropped:
        progress.warning("OTHER_CLASSES", start.classes_text())
