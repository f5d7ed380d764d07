"""Training `head-seg`: whole-head label maps in, a network out that labels CT and T1, without any image."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.networks.ema import ExponentialMovingAverage
from MedUSISLib.networks.factory import build_network
from MedUSISLib.networks.memory_format import channels_last
from MedUSISLib.progress import Progress
from MedUSISLib.segmentation.encoding import CHANNELS
from MedUSISLib.training.agreement import Agreement
from MedUSISLib.training.checkpoints import LAST, load_checkpoint, save_checkpoint
from MedUSISLib.training.configuration import SegmentatorTraining
from MedUSISLib.training.domain_randomisation.sampler import SliceSampler
from MedUSISLib.training.domain_randomisation.volumes import prepare_cached
from MedUSISLib.training.fabric import make_fabric
from MedUSISLib.training.log import LOG_FILE, append_to_log
from MedUSISLib.training.losses.dice_cross_entropy import dice_cross_entropy
from MedUSISLib.training.wishes import told_to_finish

#: Classes 0..14 of the head schema; `brain` is what coarse segmentations have and no network answers.
OUTPUTS = 15
#: Small structures weigh more in the cross-entropy; fat is never a target (no label map divides it from muscle).
_WEIGHTS = {"fat": 0.0, "eyes": 3.0, "vessels": 3.0, "skin": 3.0}
#: Share of the training in which the learning rate rises.
_RISE = 0.05
_DOUBLE = ("cortical_bone", "cancellous_bone", "air", "csf", "deep_grey", "brainstem")


class _Slices(torch.utils.data.IterableDataset):
    """An endless stream of batches, made in a worker process while the network trains."""

    def __init__(self, configuration: SegmentatorTraining, heads: list[Any], classes: dict[str, int], first: int):
        self.configuration, self.heads, self.classes, self.first = configuration, heads, classes, first

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        torch.set_num_threads(1)
        c = self.configuration
        step = self.first
        while True:
            # Seeded by the iteration, so that a resumed run sees the batches that it would have seen.
            sampler = SliceSampler(
                self.heads, self.classes, ct_share=c.ct_share, t1_share=c.t1_share, seed=c.seed * 1_000_003 + step
            )
            pictures, labels = sampler.batch(c.batch_size)
            row, column = (
                int(torch.randint(0, 256 - n + 1, (), generator=sampler.rng)) // 2 + (256 - n) // 4 for n in c.crop
            )
            window = (slice(row, row + c.crop[0]), slice(column, column + c.crop[1]))
            yield pictures[:, :, *window].contiguous(), labels[:, *window].contiguous()
            step += 1


class SegmentatorRun:
    """One training of the segmentator.

    Writes ``last.ckpt`` and ``log.jsonl`` into the output folder; ``configuration.resume`` continues an
    interrupted one.

    Parameters
    ----------
    configuration : SegmentatorTraining
    progress : Progress
    """

    def __init__(self, configuration: SegmentatorTraining, progress: Progress) -> None:
        self.configuration, self.progress = configuration, progress
        schema = load_schema("head")
        self.names = schema.names[:OUTPUTS]
        self.classes = {name: schema.index_of(name) for name in schema.names}
        self.fabric = make_fabric(configuration)
        self.agreement = Agreement(self.fabric)
        self.arguments = {"in_channels": CHANNELS, "out_channels": OUTPUTS, "features": list(configuration.features)}
        network = channels_last(build_network("subpixel_unet", self.arguments))
        self.ema = ExponentialMovingAverage(network, decay=configuration.ema)
        self.ema.network.to(self.fabric.device)
        self.network, self.optimiser = self.fabric.setup(
            network, torch.optim.AdamW(network.parameters(), lr=configuration.rate, weight_decay=1e-4)
        )
        weights = [_WEIGHTS.get(name, 2.0 if name in _DOUBLE else 1.0) for name in self.names]
        self.weights = torch.tensor(weights, device=self.fabric.device)
        self.iteration = 0

    def prepare(self) -> None:
        """Read and cache the label maps."""
        self.progress.stage("preparing the data")
        sources = self.configuration.label_maps
        heads: dict[str, list[Any]] = {"train": [], "validation": []}
        for number, source in enumerate(sources):
            self.progress.checkpoint()
            if source.labels is None:
                raise MedUSISError(ErrorCode.BAD_SETTING, "the segmentator is trained from label maps, not from CTs")
            heads[source.split].append(prepare_cached(source.labels, self.configuration.cache, self.progress))
            self.progress.step(number + 1, len(sources))
        if not heads["train"]:
            raise MedUSISError(ErrorCode.BAD_SETTING, "there is no label map to train with")
        self.heads = heads["train"]
        self.held_out = SliceSampler(heads["validation"] or self.heads, self.classes, seed=7).batch(32)

    def run(self) -> dict[str, float]:
        """Train to the end; returns the Dice of every class on invented slices of held-out people."""
        c = self.configuration
        checkpoint = c.out / LAST
        c.out.mkdir(parents=True, exist_ok=True)
        if c.resume and checkpoint.is_file():
            self.load(checkpoint)
        stream = iter(
            torch.utils.data.DataLoader(
                _Slices(c, self.heads, self.classes, self.iteration), batch_size=None, num_workers=1, prefetch_factor=4
            )
        )
        self.progress.stage("training")
        started, first = time.monotonic(), self.iteration
        dice: dict[str, float] = {}
        self.network.train()
        while self.iteration < c.iterations:
            self.progress.checkpoint()
            if told_to_finish(self.progress, self.agreement, self.iteration, partial(self.save, checkpoint)):
                dice = {}
                break
            for group in self.optimiser.param_groups:
                group["lr"] = self._rate()
            pictures, labels = (t.to(self.fabric.device) for t in next(stream))
            logits = self.network(pictures.contiguous(memory_format=torch.channels_last))
            loss = dice_cross_entropy(logits, labels, self.weights)
            self.optimiser.zero_grad(set_to_none=True)
            self.fabric.backward(loss)
            self.fabric.clip_gradients(self.network, self.optimiser, max_norm=5.0)
            self.optimiser.step()
            self.ema.update(self.network.module)
            self.iteration += 1
            if self.iteration % 10 == 0:
                rate = (self.iteration - first) / (time.monotonic() - started)
                self._log(loss=round(float(loss), 5), rate=round(rate, 3))
                self.progress.step(self.iteration, c.iterations)
                self.progress.metric("loss", float(loss), iteration=self.iteration)
            last = self.iteration == c.iterations
            if last or self.iteration % c.validate_every == 0:
                dice = self.validate()
            if last or self.iteration % c.checkpoint_every == 0:
                self.save(checkpoint)
        return dice or self.validate()

    def _rate(self) -> float:
        """Learning rate of the current iteration: a short linear rise, then a cosine to zero."""
        done = self.iteration / self.configuration.iterations
        rise = min(1.0, 0.04 + done / _RISE)
        return self.configuration.rate * rise * 0.5 * (1 + math.cos(math.pi * max(0.0, (done - _RISE) / (1 - _RISE))))

    def validate(self) -> dict[str, float]:
        """Dice per class on the held-out slices."""
        network = self.averaged_network()
        pictures, labels = (t.to(self.fabric.device) for t in self.held_out)
        with torch.inference_mode():
            answer = torch.cat([network(part).argmax(1) for part in pictures.split(8)])
        dice = {}
        for index, name in enumerate(self.names):
            mine, truth = answer == index, labels == index
            if truth.any():
                dice[name] = float(2 * (mine & truth).sum() / (mine.sum() + truth.sum()))
        self._log(dice={name: round(value, 4) for name, value in dice.items()})
        for name, value in dice.items():
            self.progress.metric(f"dice_{name}", value, iteration=self.iteration)
        return dice

    def averaged_network(self) -> torch.nn.Module:
        """The moving average with the live network's running BatchNorm statistics.

        They are not measured anew: CT-like and MR-like slices differ so much that the statistics of a few batches are
        worse than the running ones (cortex on a real T1: Dice .748 against .779).
        """
        return self.ema.network

    def save(self, path: Path) -> None:
        """Write everything that a resumed run needs."""
        save_checkpoint(
            path,
            {
                "iteration": self.iteration,
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "ema": self.ema.state_dict(),
            },
        )

    def load(self, path: Path) -> None:
        """Continue from a checkpoint."""
        state = load_checkpoint(path, self.fabric.device)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.ema.load_state_dict(state["ema"])
        self.iteration = int(state["iteration"])

    def _log(self, **entry: Any) -> None:
        append_to_log(self.configuration.out / LOG_FILE, {"iteration": self.iteration, **entry})
