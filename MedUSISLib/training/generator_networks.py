"""Generator, discriminator and segmentator of one training, with their optimisers and the moving average."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from MedUSISLib.networks.ema import ExponentialMovingAverage
from MedUSISLib.networks.factory import build_network
from MedUSISLib.networks.memory_format import channels_last
from MedUSISLib.training.configuration import GeneratorTraining, PhaseConfiguration


class Adversaries:
    """The networks that are trained together, and everything of them that a checkpoint needs.

    The discriminator and the segmentator exist only when a phase uses them: an L1 warm start pays for neither.

    Parameters
    ----------
    configuration : GeneratorTraining
    classes : int
        Of the label schema.
    fabric : lightning.fabric.Fabric
        Places networks and optimisers on the device, with the precision asked for.
    """

    def __init__(self, configuration: GeneratorTraining, classes: int, fabric: Any) -> None:
        self.fabric = fabric
        arguments = dict(configuration.network)
        name = arguments.pop("name", "wavelet_generator")
        self.generator_name = name
        self.generator_arguments = {"number_of_classes": classes, **arguments}
        rows, columns = configuration.data.crop
        betas = configuration.betas
        plain = channels_last(build_network(name, self.generator_arguments))
        self.ema = ExponentialMovingAverage(plain, decay=configuration.phases[0].ema)
        self.generator, self.generator_optimiser = fabric.setup(
            plain, torch.optim.Adam(plain.parameters(), lr=1e-4, betas=betas)
        )
        self.ema.network.to(fabric.device)
        self.discriminator: nn.Module | None = None
        self.segmentator: nn.Module | None = None
        if any(phase.adversarial > 0 for phase in configuration.phases):
            patch = configuration.discriminator_crop
            size = (patch, patch) if patch else (rows, columns)
            network = channels_last(
                build_network("wavelet_discriminator", {"image_size": size, **configuration.discriminator})
            )
            self.discriminator, self.discriminator_optimiser = fabric.setup(
                network, torch.optim.Adam(network.parameters(), lr=2e-3, betas=betas)
            )
        if any(phase.segmentation > 0 for phase in configuration.phases):
            network = channels_last(
                build_network("segmentator", {"number_of_classes": classes, **configuration.segmentator})
            )
            self.segmentator, self.segmentator_optimiser = fabric.setup(
                network, torch.optim.Adam(network.parameters(), lr=4e-4, betas=betas)
            )

    @property
    def noise_channels(self) -> int:
        """Length of the noise vector."""
        return int(self.generator_arguments.get("noise_channels", 64))

    def set_rates(self, phase: PhaseConfiguration, share_done: float) -> None:
        """Learning rates for a point of a phase; the generator's falls along a cosine."""
        import math

        fall = phase.final_rate + (1 - phase.final_rate) * 0.5 * (1 + math.cos(math.pi * min(share_done, 1.0)))
        rates = [(self.generator_optimiser, phase.generator_rate * fall)]
        if self.discriminator is not None:
            rates.append((self.discriminator_optimiser, phase.discriminator_rate))
        if self.segmentator is not None:
            rates.append((self.segmentator_optimiser, phase.segmentator_rate))
        for optimiser, rate in rates:
            for group in optimiser.param_groups:
                group["lr"] = rate
        self.ema.decay = phase.ema

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes while training."""
        state = {
            "generator": self.generator.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "ema": self.ema.state_dict(),
        }
        if self.discriminator is not None:
            state["discriminator"] = self.discriminator.state_dict()
            state["discriminator_optimiser"] = self.discriminator_optimiser.state_dict()
        if self.segmentator is not None:
            state["segmentator"] = self.segmentator.state_dict()
            state["segmentator_optimiser"] = self.segmentator_optimiser.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint of the same configuration; networks that a checkpoint lacks start fresh."""
        self.generator.load_state_dict(state["generator"])
        self.generator_optimiser.load_state_dict(state["generator_optimiser"])
        self.ema.load_state_dict(state["ema"])
        for name in ("discriminator", "segmentator"):
            network = getattr(self, name)
            if network is not None and name in state:
                network.load_state_dict(state[name])
                getattr(self, f"{name}_optimiser").load_state_dict(state[f"{name}_optimiser"])
