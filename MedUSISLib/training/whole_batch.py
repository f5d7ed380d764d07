"""What some losses must know of the whole batch, of which a process, or a part of a step, sees only a part."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MedUSISLib.training.batch import Batch, Sizes
from MedUSISLib.training.configuration import PhaseConfiguration
from MedUSISLib.training.losses.class_means import large_classes
from MedUSISLib.training.losses.segmentation import pixels_of_classes, weights_of_pixels
from MedUSISLib.training.processes import Processes


@dataclass(frozen=True)
class WholeBatch:
    """The batch of all processes, before it is divided into parts.

    Attributes
    ----------
    sizes : Sizes
    class_weights : Tensor, shape (C + 1,)
        Of the class-balanced losses.
    class_pairs : float
        Images times the classes that are large in them, see `class_mean_loss`.
    """

    sizes: Sizes
    class_weights: Tensor
    class_pairs: float

    @classmethod
    def of(cls, batch: Batch, phase: PhaseConfiguration, classes: int, processes: Processes) -> WholeBatch:
        """Count in this process's share, and add up those of all: one all-reduce."""
        sizes = batch.sizes
        pairs = large_classes(batch.labels[: sizes.paired], classes) if phase.class_means and sizes.paired else 0
        pixels = pixels_of_classes(batch.labels, classes + 1).cpu()
        counted = torch.cat([torch.tensor([*sizes, pairs], dtype=torch.double), pixels.double()])
        total = processes.total(counted)
        numbers = [int(number) for number in total[: len(sizes)]]
        weights = weights_of_pixels(total[len(sizes) + 1 :].float()).to(batch.labels.device)
        return cls(Sizes(*numbers), weights, float(total[len(sizes)]))
