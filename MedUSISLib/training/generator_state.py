"""Everything of a generator's training that a checkpoint holds, and the ways back to an earlier state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.progress import Progress
from MedUSISLib.training.checkpoints import (
    BEST,
    GOOD,
    LAST,
    keep_as,
    load_checkpoint,
    save_checkpoint,
)
from MedUSISLib.training.configuration import GeneratorTraining
from MedUSISLib.training.fine_tuning import START_FILE, Start, read_start
from MedUSISLib.training.generator_data import GeneratorData
from MedUSISLib.training.generator_networks import Adversaries
from MedUSISLib.training.health import HealthWatch
from MedUSISLib.training.sampling import noise_vectors, rank_positions, shifted_seed
from MedUSISLib.training.selection import Selection
from MedUSISLib.training.starting_weights import start_from


class GeneratorState:
    """Networks with their optimisers and averages, counters.

    There are no random numbers in it: those of a step follow from the seed, the roll-backs and the iteration.

    Parameters
    ----------
    configuration : GeneratorTraining
    schema : LabelSchema
    fabric : lightning.fabric.Fabric
    progress : Progress

    Attributes
    ----------
    start : Start or None
        What the generator is fine-tuned from. A resumed training reads it from ``out`` and does not look at the parent.
    iteration, rollbacks, loads : int
        Steps done; how often the training went back; how often a checkpoint was loaded.
    accumulate : int
        In how many parts a batch goes through the networks.
    watch : HealthWatch
    selection : Selection
    """

    def __init__(self, configuration: GeneratorTraining, schema: LabelSchema, fabric: Any, progress: Progress) -> None:
        self.configuration, self.schema, self.fabric, self.progress = configuration, schema, fabric, progress
        self.iteration = self.rollbacks = self.loads = 0
        self.accumulate = configuration.accumulate
        self.watch, self.selection = HealthWatch(configuration.safety), Selection(configuration.selection)
        self.start: Start | None = None
        self._build(again=False)

    def _build(self, again: bool) -> None:
        """Fresh networks, or the parent's; where a checkpoint will be loaded, the parent's traits are enough."""
        configuration, start, weights = self.configuration, None, None
        if configuration.start_from is not None:
            if configuration.resume and self.last.is_file() and not again:
                start = read_start(configuration.out)
            if start is None:
                self.progress.stage("reading the generator to start from")
                start, weights = start_from(configuration.start_from, self.schema, configuration.network)
        self.start = start
        self.networks = Adversaries(configuration, self.schema, self.fabric, start, weights)

    @property
    def last(self) -> Path:
        """The checkpoint that a resumed run goes on from."""
        return self.configuration.out / LAST

    @property
    def best(self) -> Path:
        """The checkpoint of the best state."""
        return self.configuration.out / BEST

    def forget_leftovers(self) -> None:
        """Remove what a training that was stopped before its first checkpoint left in the folder."""
        for name in (START_FILE, GOOD, BEST):
            (self.configuration.out / name).unlink(missing_ok=True)

    @property
    def seed(self) -> int:
        """Of the random numbers: another one after each roll-back."""
        return shifted_seed(self.configuration.seed, self.rollbacks)

    def noise(self, iteration: int, rank: int = 0, world: int = 1) -> torch.Tensor | None:
        """Noise vectors of a batch, or of one process's part of it."""
        channels = self.networks.noise_channels
        if not channels:
            return None
        positions = rank_positions(self.configuration.batch_size, rank, world)
        return noise_vectors(channels, self.seed, iteration, positions).to(self.fabric.device)

    def as_dict(self, data: GeneratorData) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {
            "iteration": self.iteration,
            "trained_on": data.trained_on,
            "networks": self.networks.state_dict(),
            "rollbacks": self.rollbacks,
            "accumulate": self.accumulate,
            "watch": self.watch.state(),
            "selection": self.selection.state(),
        }

    def save(self, data: GeneratorData, may_be_good: bool = True) -> None:
        """Write the last checkpoint; when nothing has begun to go wrong, it is the good one too. First process only."""
        if not self.fabric.is_global_zero:
            return
        if may_be_good and self.watch.calm:
            # The good one first: killed in between, the training comes to this point again. The other way round it
            # would go on from here, and go back further than it should if something went wrong soon.
            good = self.configuration.out / GOOD
            save_checkpoint(good, self.as_dict(data))
            keep_as(good, LAST)
        else:
            save_checkpoint(self.last, self.as_dict(data))

    def load(self, path: Path, data: GeneratorData) -> None:
        """Continue from a checkpoint."""
        state = load_checkpoint(path, self.fabric.device)
        self.loads += 1
        data.check_resumed(state.get("trained_on", ()))
        self.networks.load_state_dict(state["networks"])
        self.iteration = int(state["iteration"])
        self.accumulate = max(self.configuration.accumulate, int(state.get("accumulate", 1)))
        self.rollbacks = int(state.get("rollbacks", 0))  # an earlier version did not write these
        if "watch" in state:
            self.watch.restore(state["watch"])
            self.selection.restore(state["selection"])

    def roll_back(self, data: GeneratorData) -> None:
        """Go back to the good checkpoint, or to the start, with other random numbers, and count it."""
        rollbacks, accumulate, selection = self.rollbacks + 1, self.accumulate, self.selection.state()
        good = self.configuration.out / GOOD
        if good.is_file():
            self.load(good, data)
        else:
            torch.manual_seed(self.configuration.seed)
            self._build(again=True)
            self.iteration = 0
        # What is the best so far stays the best: its checkpoint lies beside.
        self.rollbacks, self.accumulate = rollbacks, accumulate
        self.selection.restore(selection)
        self.watch = HealthWatch(self.configuration.safety)
        self.save(data)
