"""Training a generator from a configuration: data, phases, validation, checkpoints, and a state to resume from."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.networks.ema import refresh_batch_norm
from MedUSISLib.progress import Progress
from MedUSISLib.training.checkpoints import (
    BEST,
    GOOD,
    LAST,
    keep_as,
    load_checkpoint,
    random_state,
    restore_random_state,
    save_checkpoint,
)
from MedUSISLib.training.configuration import GeneratorTraining, PhaseConfiguration
from MedUSISLib.training.fabric import make_fabric
from MedUSISLib.training.fine_tuning import START_FILE, Start, read_start
from MedUSISLib.training.generator_data import GeneratorData
from MedUSISLib.training.generator_networks import Adversaries
from MedUSISLib.training.generator_step import Batch, Grain, PatchSampler, one_hot, train_step
from MedUSISLib.training.health import HealthWatch, Trouble
from MedUSISLib.training.selection import Selection
from MedUSISLib.training.starting_weights import start_from
from MedUSISLib.training.validation import (
    Validation,
    class_table_text,
    save_sample_grid,
    validate,
)

_BATCH_NORM_BATCHES = 6


class GeneratorRun:
    """One training from start to end, or from its last checkpoint to its end.

    The life of a run: ``prepare`` reads and caches the data; ``run`` goes through the phases of the configuration,
    writes ``last.ckpt`` (atomically), ``samples/NNNNNN.png``, ``class_table.md`` and ``log.jsonl`` into ``out`` as it
    goes, and stops at ``progress.checkpoint`` when the user cancels. With ``configuration.resume`` it continues
    with the same random numbers, so on the CPU it ends where an uninterrupted one would have ended. When it goes wrong
    (`health`), it goes back to ``good.ckpt`` with lower rates; ``best.ckpt`` is the best state by `selection`.

    Parameters
    ----------
    configuration : GeneratorTraining
    progress : Progress
    """

    def __init__(self, configuration: GeneratorTraining, progress: Progress) -> None:
        self.configuration, self.progress = configuration, progress
        self.schema = load_schema(configuration.data.label_schema)
        self.fabric = make_fabric(configuration)
        self.rng = torch.Generator().manual_seed(configuration.seed + 1)
        self.start = self._start()
        self.patches = PatchSampler(configuration.discriminator_crop, self.rng)
        self.grain = Grain.of(configuration.grain, self.schema)
        self.iteration = self.rollbacks = 0
        self.watch, self.selection = HealthWatch(configuration.safety), Selection(configuration.selection)

    def _start(self, again: bool = False) -> Start | None:
        """Make the networks, from nothing or from a parent; a resumed run has the parent's traits from `out`."""
        configuration, start, weights = self.configuration, None, None
        if configuration.start_from is not None:
            if configuration.resume and self.checkpoint.is_file() and not again:
                start = read_start(configuration.out)
            if start is None:
                self.progress.stage("reading the generator to start from")
                start, weights = start_from(configuration.start_from, self.schema, configuration.network)
        self.networks = Adversaries(configuration, self.schema, self.fabric, start, weights)
        return start

    def _say_start(self) -> None:
        if self.start is None or self.configuration.start_from is None:
            return
        self.start.write(self.configuration.out)
        self._log(
            started_from=self.start.as_setting(),
            frozen=self.configuration.start_from.frozen,
            trained_weights=self.networks.trained_weights,
        )
        if self.start.new or self.start.dropped:
            self.progress.warning("OTHER_CLASSES", self.start.classes_text())

    @property
    def checkpoint(self) -> Path:
        """Where a resumed run goes on."""
        return self.configuration.out / LAST

    def prepare(self) -> None:
        """Read, label and cache every case, and lay out the validation slices."""
        self.data = GeneratorData(self.configuration, self.schema, self.progress)

    def _batch(self, phase: PhaseConfiguration) -> Batch:
        return self.data.batch(phase, self.rng).to(self.fabric.device)

    def _noise(self, count: int) -> torch.Tensor | None:
        channels = self.networks.noise_channels
        return torch.randn(count, channels, generator=self.rng).to(self.fabric.device) if channels else None

    # -- the loop --------------------------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """Iterations of all phases."""
        return sum(phase.iterations for phase in self.configuration.phases)

    def _phase(self) -> tuple[PhaseConfiguration, float]:
        """The phase that the current iteration belongs to, and how much of it is done."""
        start = 0
        for phase in self.configuration.phases:
            if self.iteration < start + phase.iterations:
                return phase, (self.iteration - start) / phase.iterations
            start += phase.iterations
        return self.configuration.phases[-1], 1.0

    def run(self) -> Validation:
        """Train to the end, or until patience has run out; returns the validation of what is to be exported."""
        configuration = self.configuration
        configuration.out.mkdir(parents=True, exist_ok=True)
        if configuration.resume and self.checkpoint.is_file():
            self.load(self.checkpoint)
        elif self.checkpoint.is_file():
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                "the output folder holds an earlier training",
                "continue it with --resume, or choose another folder",
                configuration.out,
            )
        else:
            for name in (START_FILE, GOOD, BEST):  # of a training that was stopped before its first checkpoint
                (configuration.out / name).unlink(missing_ok=True)
            self._say_start()
        self.progress.stage("training")
        started, first, seen = time.monotonic(), self.iteration, ""
        validation: Validation | None = None
        while self.iteration < self.total and not self.selection.ended:
            self.progress.checkpoint()
            phase, share = self._phase()
            if phase.name != seen:
                seen = phase.name
                self.progress.stage(f"training: {phase.name}")
            log = self._step(phase, share)
            last = self.iteration == self.total
            to_validate = last or self.iteration % configuration.validate_every == 0
            to_save = last or self.iteration % configuration.checkpoint_every == 0
            trouble = self.watch.trouble(log)
            if trouble is None and (to_validate or to_save) and not self.networks.finite():
                trouble = Trouble.DIVERGED
            if trouble is not None:
                self._roll_back(trouble)
                started, first, seen, validation = time.monotonic(), self.iteration, "", None
                continue
            if self.iteration % 10 == 0:
                rate = (self.iteration - first) / (time.monotonic() - started)
                self._log(phase=phase.name, rate=round(rate, 3), **{k: round(v, 5) for k, v in log.items()})
                self.progress.step(self.iteration, self.total)
                for name, value in log.items():
                    self.progress.metric(name, value, iteration=self.iteration)
            if to_validate:
                validation = self.validate()
                self._select(validation)
            if to_save or self.selection.ended:
                self.save()
        return self._chosen(validation)

    def _step(self, phase: PhaseConfiguration, share: float) -> dict[str, float]:
        self.networks.set_rates(phase, share, self.configuration.safety.rate_factor**self.rollbacks)
        self.networks.generator.train()
        batch = self._batch(phase)
        noise = self._noise(len(batch.labels))
        log = train_step(
            self.networks, batch, noise, phase, self.iteration, self.schema.number_of_classes, self.patches, self.grain
        )
        self.iteration += 1
        return log

    # -- the best state, and the last good one ---------------------------------------------------------------------

    def _select(self, validation: Validation) -> None:
        if self.iteration <= self.total - self.configuration.phases[-1].iterations:
            return
        if self.selection.better(validation.figures(), self.iteration):
            save_checkpoint(self.configuration.out / BEST, self._state())
        elif self.selection.ended and self.iteration < self.total:
            criterion, patience = self.selection.settings.criterion, self.selection.settings.patience
            self.progress.warning(
                "STOPPED_EARLY",
                f"{criterion} has not become better in {patience} validations; the best is of iteration"
                f" {self.selection.iteration}",
            )

    def _chosen(self, validation: Validation | None) -> Validation:
        """Go to the state that is to be exported."""
        best = self.configuration.out / BEST
        if not self.selection.settings.exports_best or self.selection.iteration in (-1, self.iteration):
            return validation or self.validate()
        self.load(best)
        return self.validate()

    def _roll_back(self, trouble: Trouble) -> None:
        """Go back to the last good checkpoint, or to the start, with lower rates and other random numbers."""
        safety, happened = self.configuration.safety, self.iteration
        if self.rollbacks >= safety.rollbacks:
            tried = f" and did so again after {self.rollbacks} roll-backs" if self.rollbacks else ""
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"{trouble} at iteration {happened}{tried}",
                "lower the learning rates or the weights of the losses, and look at the last samples and class table",
            )
        rollbacks, selection = self.rollbacks + 1, self.selection.state()
        good = self.configuration.out / GOOD
        if good.is_file():
            self.load(good)
        else:
            torch.manual_seed(self.configuration.seed)
            self.start = self._start(again=True)
            self.iteration = 0
        # What is the best so far stays the best: its checkpoint lies beside.
        self.rollbacks = rollbacks
        self.selection.restore(selection)
        self.watch = HealthWatch(safety)
        seed = self.configuration.seed + 1 + 1_000_003 * rollbacks
        self.rng.manual_seed(seed)
        torch.manual_seed(seed)
        self.save()
        factor = safety.rate_factor**rollbacks
        self._log(rolled_back_from=happened, trouble=trouble.name.lower(), rate_factor=factor)
        self.progress.metric("rollbacks", rollbacks, iteration=happened)
        self.progress.warning(
            "ROLLED_BACK",
            f"{trouble} at iteration {happened}: back to iteration {self.iteration}, learning rates times {factor:g}"
            f" (roll-back {rollbacks} of {safety.rollbacks})",
        )

    def validate(self) -> Validation:
        """Refresh BatchNorm for the averaged weights, measure, draw, log."""
        state = random_state(self.rng)
        network = self.averaged_network()
        result, fake = validate(network, self.data.held_out, self.schema, self.networks.noise_channels)
        restore_random_state(self.rng, state)
        samples = self.configuration.out / "samples"
        samples.mkdir(exist_ok=True)
        picture = samples / f"{self.iteration:06d}.png"
        save_sample_grid(picture, self.data.held_out, fake, self.schema)
        (self.configuration.out / "class_table.md").write_text(class_table_text(result), encoding="utf-8")
        self._log(validation={k: round(v, 5) for k, v in result.figures().items()})
        for name, value in result.figures().items():
            self.progress.metric(f"validation_{name}", value, iteration=self.iteration)
        self.progress.preview(picture)
        return result

    def averaged_network(self) -> torch.nn.Module:
        """The moving average with BatchNorm statistics of its own, ready to be used or exported."""
        network = self.networks.ema.network
        phase, _ = self._phase()
        with torch.no_grad():
            batches = []
            for _ in range(_BATCH_NORM_BATCHES):
                batch = self._batch(phase)
                batches.append((one_hot(batch.labels, self.schema.number_of_classes), self._noise(len(batch.labels))))
            refresh_batch_norm(network, batches)
        return network

    # -- state -----------------------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        return {
            "iteration": self.iteration,
            "trained_on": self.data.trained_on,
            "random": random_state(self.rng),
            "networks": self.networks.state_dict(),
            "rollbacks": self.rollbacks,
            "watch": self.watch.state(),
            "selection": self.selection.state(),
        }

    def save(self) -> None:
        """Write everything that a resumed run needs."""
        save_checkpoint(self.checkpoint, self._state())
        if self.watch.calm:
            keep_as(self.checkpoint, GOOD)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint."""
        state = load_checkpoint(path, self.fabric.device)
        self.data.check_resumed(state.get("trained_on", ()))
        self.networks.load_state_dict(state["networks"])
        restore_random_state(self.rng, state["random"])
        self.iteration = int(state["iteration"])
        self.rollbacks = int(state.get("rollbacks", 0))  # an earlier version did not write these
        if "watch" in state:
            self.watch.restore(state["watch"])
            self.selection.restore(state["selection"])

    def _log(self, **entry: Any) -> None:
        with (self.configuration.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"iteration": self.iteration, **entry}) + "\n")
