"""Training a generator from a configuration: data, phases, validation, checkpoints, and a state to resume from."""

from __future__ import annotations

import time
from functools import cached_property, partial
from typing import Any

import torch

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.networks.ema import refresh_batch_norm
from MedUSISLib.progress import Progress, Silent
from MedUSISLib.training.agreement import Agreement
from MedUSISLib.training.anchoring import NO_ANCHOR, lacks_anchor
from MedUSISLib.training.batch import Batch
from MedUSISLib.training.checkpoints import remove_half_written, save_checkpoint
from MedUSISLib.training.configuration import GeneratorTraining, PhaseConfiguration
from MedUSISLib.training.fabric import make_fabric
from MedUSISLib.training.generator_data import GeneratorData
from MedUSISLib.training.generator_state import GeneratorState
from MedUSISLib.training.generator_step import Grain, PatchSampler, one_hot, train_step
from MedUSISLib.training.health import Trouble
from MedUSISLib.training.kept_configuration import keep_configuration
from MedUSISLib.training.memory_of_a_run import divide, say_estimate
from MedUSISLib.training.prefetch import Prefetch
from MedUSISLib.training.run_log import RunLog
from MedUSISLib.training.run_start import say_start
from MedUSISLib.training.sampling import seed_step
from MedUSISLib.training.validation import Judge, Validation
from MedUSISLib.training.validation_slices import slices_of_others
from MedUSISLib.training.wishes import told_to_finish
from MedUSISLib.trouble import is_out_of_memory

_BATCH_NORM_BATCHES = 6


class GeneratorRun:
    """One training from start to end, or from its last checkpoint to its end.

    The life of a run: ``prepare`` reads and caches the data; ``run`` goes through the phases of the configuration,
    writes ``last.ckpt`` (atomically), and its log, pictures and tables (`run_log`) into ``out`` as it
    goes, and stops at ``progress.checkpoint`` when the user cancels. With ``configuration.resume`` it continues
    with the same samples and random numbers (`sampling`), so on the CPU it ends where an uninterrupted one would have
    ended. When it goes wrong (`health`), it goes back to ``good.ckpt`` with lower rates; ``best.ckpt`` is the best
    state by `selection`.

    Several processes go through the same life together (`agreement`): each works on its share of every batch, the
    first one alone measures, writes and speaks.

    Parameters
    ----------
    configuration : GeneratorTraining
    progress : Progress
    """

    def __init__(self, configuration: GeneratorTraining, progress: Progress) -> None:
        self.configuration = configuration
        self.schema = load_schema(configuration.data.label_schema)
        self.fabric = make_fabric(configuration)
        self.agreement = Agreement(self.fabric)
        self.progress = progress = progress if self.agreement.leads else Silent(progress)
        self.log = RunLog(configuration.out, progress, active=self.fabric.is_global_zero)
        self.state = GeneratorState(configuration, self.schema, self.fabric, progress)
        self.rng = torch.Generator()
        self._measured: tuple[int, ...] = ()
        self.patches = PatchSampler(configuration.discriminator_crop, self.rng)
        self.grain = Grain.of(configuration.grain, self.schema)

    def prepare(self) -> None:
        """Read, label and cache every case, and lay out the validation slices."""
        # A cache may lie on a disk of its own in each node: one process of each may prepare with several workers.
        rank, leads = self.fabric.local_rank, self.agreement.leads
        for first in (True, False):  # the others find in the cache what the first one has prepared
            if leads == first:
                self.data = GeneratorData(self.configuration, self.schema, self.progress, rank)
            self.agreement.meet()

    @cached_property
    def judge(self) -> Judge:
        """Measures validations; what concerns the real slices alone is measured when it is first asked for."""
        held_out = self.data.held_out
        others = slices_of_others(self.data.images.cases, held_out, [case.person for case in self.data.held_out_cases])
        volumes = self.data.held_out_volumes
        draw = None if volumes is None else partial(volumes.draw, noise_channels=self.state.networks.noise_channels)
        return Judge(held_out, self.schema, self.fabric.device, others, draw)

    def _make_batch(self, iteration: int, rollbacks: int) -> Batch:
        """This process's part of a batch, made ahead of its time."""
        phase, _ = self._phase(iteration)
        batch = self.data.batch(phase, iteration, self.fabric.global_rank, self.fabric.world_size, rollbacks)
        return batch.pinned() if self.fabric.device.type == "cuda" else batch

    # -- the loop --------------------------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """Iterations of all phases."""
        return sum(phase.iterations for phase in self.configuration.phases)

    def _phase(self, iteration: int) -> tuple[PhaseConfiguration, float]:
        """The phase that an iteration belongs to, and how much of it is done."""
        start = 0
        for phase in self.configuration.phases:
            if iteration < start + phase.iterations:
                return phase, (iteration - start) / phase.iterations
            start += phase.iterations
        return self.configuration.phases[-1], 1.0

    def run(self) -> Validation:
        """Train to the end, or until patience has run out; returns the validation of what is to be exported."""
        self.batches = Prefetch(self._make_batch, self.total, self.configuration.loader_workers)
        try:
            return self._run()
        finally:
            self.batches.close()
            self.log.close()

    def _run(self) -> Validation:
        configuration = self.configuration
        if self.agreement.leads:
            configuration.out.mkdir(parents=True, exist_ok=True)
            remove_half_written(configuration.out)
        begun = self.agreement.from_lead(self.state.last.is_file())
        if configuration.resume and begun:
            self.state.load(self.state.last, self.data)
        elif begun:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                "the output folder holds an earlier training",
                "continue it with --resume, or choose another folder",
                configuration.out,
            )
        elif self.agreement.leads:
            self.state.forget_leftovers()
            say_start(self.state, self.log, self.progress)
        if self.agreement.leads:
            if lacks_anchor(configuration):
                self.progress.warning("NO_ANCHOR", NO_ANCHOR)
            keep_configuration(configuration)
            self._say_estimate()
            self.judge.check(configuration.selection.criterion)
        self.log.start(self.state.iteration)
        if self.state.start is not None and self.state.iteration == 0:
            self.progress.stage("measuring the generator that it starts from")
            self.validate(before=True)
        self.progress.stage("training")
        started, first, seen = time.monotonic(), self.state.iteration, ""
        validation: Validation | None = None
        while self.state.iteration < self.total and not self.state.selection.ended:
            self.agreement.checkpoint(self.progress)
            if told_to_finish(self.progress, self.agreement, self.state.iteration, self._save_for_later):
                validation = None  # that of an earlier iteration
                break
            phase, share = self._phase(self.state.iteration)
            if phase.name != seen:
                seen = phase.name
                self.progress.stage(f"training: {phase.name}")
            log = self._step(phase, share)
            last = self.state.iteration == self.total
            to_validate = last or self.state.iteration % configuration.validate_every == 0
            to_save = last or self.state.iteration % configuration.checkpoint_every == 0
            trouble = self.state.watch.trouble(log)
            if trouble is None and (to_validate or to_save) and not self.state.networks.sound():
                trouble = Trouble.DIVERGED
            if trouble is None and self.state.iteration % 10 == 0:
                rate = (self.state.iteration - first) / (time.monotonic() - started)
                self.log.losses(self.state.iteration, self.total, phase.name, rate, log)
            if trouble is None and to_validate:
                validation = self.validate()
                trouble = self.state.watch.alike(validation.diversity)
            if trouble is not None:
                self._roll_back(trouble)
                started, first, seen, validation = time.monotonic(), self.state.iteration, "", None
                continue
            if to_validate and validation is not None:
                self._select(validation)
            if to_save or self.state.selection.ended:
                self.state.save(self.data)
        result = self._chosen(validation)
        self.log.warn_of_swaps(result, last=True)
        return result

    def _save_for_later(self) -> None:
        """A checkpoint to go on from. Not the one to go back to: a roll-back is the same with and without a pause."""
        self.state.save(self.data, may_be_good=False)

    def _say_estimate(self) -> None:
        say_estimate(self.state, self.log, self.progress)

    def _step(self, phase: PhaseConfiguration, share: float) -> dict[str, float]:
        factor = self.configuration.safety.rate_factor**self.state.rollbacks
        self.state.networks.set_rates(phase, share, self.state.iteration, factor)
        self.state.networks.generator.train()
        iteration, rank, world = self.state.iteration, self.fabric.global_rank, self.fabric.world_size
        batch = self.batches.take(iteration, self.state.rollbacks).to(self.fabric.device)
        noise = self.state.noise(iteration, rank, world)
        while True:
            seed_step(self.state.seed, iteration, rank, self.rng)
            try:
                log = train_step(
                    self.state.networks,
                    batch,
                    noise,
                    phase,
                    self.state.iteration,
                    self.schema.number_of_classes,
                    self.patches,
                    self.grain,
                    self.state.accumulate,
                )
                break
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            divide(self.state, len(batch.labels), self.log, self.progress)
        self.state.iteration += 1
        return log

    # -- the best state, and the last good one ---------------------------------------------------------------------

    def _select(self, validation: Validation) -> None:
        if self.state.iteration <= self.total - self.configuration.phases[-1].iterations:
            return
        if self.state.selection.better(validation.figures(), self.state.iteration):
            if self.agreement.leads:
                save_checkpoint(self.state.best, self.state.as_dict(self.data))
        elif self.state.selection.ended and self.state.iteration < self.total:
            criterion, patience = self.state.selection.settings.criterion, self.state.selection.settings.patience
            self.progress.warning(
                "STOPPED_EARLY",
                f"{criterion} has not become better in {patience} validations; the best is of iteration"
                f" {self.state.selection.iteration}",
            )

    def _chosen(self, validation: Validation | None) -> Validation:
        """Go to the state that is to be exported."""
        if not self.state.selection.settings.exports_best or self.state.selection.iteration in (
            -1,
            self.state.iteration,
        ):
            return validation or self.validate()
        self.agreement.meet()
        self.state.load(self.state.best, self.data)
        return self.validate(chosen=True)

    def _roll_back(self, trouble: Trouble) -> None:
        """Go back to the last good checkpoint, or to the start, with lower rates and other random numbers."""
        safety, happened = self.configuration.safety, self.state.iteration
        if self.state.rollbacks >= safety.rollbacks:
            tried = f" and did so again after {self.state.rollbacks} roll-backs" if self.state.rollbacks else ""
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"{trouble} at iteration {happened}{tried}",
                "lower the learning rates or the weights of the losses, and look at the last samples and class table",
            )
        self.agreement.meet()  # whether there is a checkpoint to go back to is the same for all
        self.state.roll_back(self.data)
        rollbacks = self.state.rollbacks
        factor = safety.rate_factor**rollbacks
        self.log.start(self.state.iteration)
        self._log(rolled_back_from=happened, trouble=trouble.name.lower(), rate_factor=factor)
        self.progress.metric("rollbacks", rollbacks, iteration=happened)
        self.progress.warning(
            "ROLLED_BACK",
            f"{trouble} at iteration {happened}: back to iteration {self.state.iteration},"
            f" learning rates times {factor:g} (roll-back {rollbacks} of {safety.rollbacks})",
        )

    def validate(self, **marks: bool) -> Validation:
        """Refresh BatchNorm for the averaged weights, measure, draw, log; ``marks`` ("before", "chosen") are logged."""
        network = self.averaged_network()
        result: Validation | None = None
        if self.agreement.leads:
            result, fake = self.judge(network, self.state.networks.noise_channels)
            self.log.validation(self.state.iteration, result, self.data.held_out, fake, self.schema, **marks)
            if not marks:
                self.log.warn_of_swaps(result, last=False)
        result = self.agreement.from_lead(result)
        assert result is not None
        return result

    def averaged_network(self) -> torch.nn.Module:
        """The moving average with BatchNorm statistics of its own, ready to be used or exported.

        They are measured by all processes together, and once for each state: when it is exported, which is the first
        process's work alone, its validation has measured them already.
        """
        networks = self.state.networks
        network, measured = networks.ema.network, (id(networks), networks.ema.steps, self.state.loads)
        if measured == self._measured:
            return network
        self._measured = measured
        phase, _ = self._phase(self.state.iteration)
        phase = phase.model_copy(update={"adversarial": 0.0})  # no real images are needed
        rank, world = self.fabric.global_rank, self.fabric.world_size
        seed_step(self.state.seed, self.state.iteration, rank, self.rng)  # dropout is on
        with torch.no_grad():
            batches = []
            for number in range(self.state.iteration, self.state.iteration + _BATCH_NORM_BATCHES):
                batch = self.data.batch(phase, number, rank, world, self.state.rollbacks).to(self.fabric.device)
                noise = self.state.noise(number, rank, world)
                batches.append((one_hot(batch.labels, self.schema.number_of_classes), noise))
            refresh_batch_norm(network, batches)
        return network

    def _log(self, **entry: Any) -> None:
        self.log.say(self.state.iteration, **entry)
