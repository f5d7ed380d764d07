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
from MedUSISLib.training.checkpoints import LAST, load_checkpoint, random_state, restore_random_state, save_checkpoint
from MedUSISLib.training.configuration import GeneratorTraining, PhaseConfiguration
from MedUSISLib.training.fabric import make_fabric
from MedUSISLib.training.fine_tuning import START_FILE, Start, read_start
from MedUSISLib.training.generator_data import GeneratorData
from MedUSISLib.training.generator_networks import Adversaries
from MedUSISLib.training.generator_step import Batch, Grain, PatchSampler, one_hot, train_step
from MedUSISLib.training.starting_weights import start_from
from MedUSISLib.training.t1_scaling import CLIP
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
    with the same random numbers, so on the CPU it ends where an uninterrupted one would have ended.

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
        self.grain = Grain(self._grain_by_class())
        self.iteration = 0

    def _start(self) -> Start | None:
        """Make the networks, from nothing or from a parent; a resumed run has the parent's traits from `out`."""
        configuration, start, weights = self.configuration, None, None
        if configuration.start_from is not None:
            start = read_start(configuration.out) if configuration.resume and self.checkpoint.is_file() else None
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

    def _grain_by_class(self) -> torch.Tensor | None:
        """The configured noise as standard deviation in the network's range [-1, 1]."""
        if not self.configuration.grain:
            return None
        table = torch.zeros(self.schema.number_of_classes)
        for name, deviation in self.configuration.grain.items():
            table[self.schema.index_of(name)] = deviation * 2 / CLIP
        return table

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
        """Train to the end; returns the last validation."""
        configuration = self.configuration
        checkpoint = self.checkpoint
        configuration.out.mkdir(parents=True, exist_ok=True)
        if configuration.resume and checkpoint.is_file():
            self.load(checkpoint)
        elif checkpoint.is_file():
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                "the output folder holds an earlier training",
                "continue it with --resume, or choose another folder",
                configuration.out,
            )
        else:
            (configuration.out / START_FILE).unlink(missing_ok=True)
            self._say_start()
        self.progress.stage("training")
        started, first, seen = time.monotonic(), self.iteration, ""
        validation: Validation | None = None
        while self.iteration < self.total:
            self.progress.checkpoint()
            phase, share = self._phase()
            if phase.name != seen:
                seen = phase.name
                self.progress.stage(f"training: {phase.name}")
            self.networks.set_rates(phase, share)
            self.networks.generator.train()
            batch = self._batch(phase)
            log = train_step(
                self.networks,
                batch,
                self._noise(len(batch.labels)),
                phase,
                self.iteration,
                self.schema.number_of_classes,
                self.patches,
                self.grain,
            )
            self.iteration += 1
            if not all(value == value and abs(value) < 1e6 for value in log.values()):
                raise MedUSISError(
                    ErrorCode.INTERNAL,
                    f"the training diverged at iteration {self.iteration} (a loss is not finite)",
                    "lower the learning rates and resume from the last checkpoint",
                )
            if self.iteration % 10 == 0:
                rate = (self.iteration - first) / (time.monotonic() - started)
                self._log(phase=phase.name, rate=round(rate, 3), **{k: round(v, 5) for k, v in log.items()})
                self.progress.step(self.iteration, self.total)
                for name, value in log.items():
                    self.progress.metric(name, value, iteration=self.iteration)
            last = self.iteration == self.total
            if last or self.iteration % configuration.validate_every == 0:
                validation = self.validate()
            if last or self.iteration % configuration.checkpoint_every == 0:
                self.save(checkpoint)
        return validation or self.validate()

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

    def save(self, path: Path) -> None:
        """Write everything that a resumed run needs."""
        state = {"iteration": self.iteration, "random": random_state(self.rng), "networks": self.networks.state_dict()}
        save_checkpoint(path, state)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint."""
        state = load_checkpoint(path, self.fabric.device)
        self.networks.load_state_dict(state["networks"])
        restore_random_state(self.rng, state["random"])
        self.iteration = int(state["iteration"])

    def _log(self, **entry: Any) -> None:
        with (self.configuration.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"iteration": self.iteration, **entry}) + "\n")
