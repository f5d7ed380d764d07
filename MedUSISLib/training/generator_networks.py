"""Generator, discriminator and segmentator of one training, with their optimisers and the moving average."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.networks.ema import ExponentialMovingAverage
from MedUSISLib.networks.factory import build_network
from MedUSISLib.networks.memory_format import channels_last
from MedUSISLib.networks.synchronised_batch_norm import synchronise_batch_norm
from MedUSISLib.training.anchoring import load_anchor
from MedUSISLib.training.configuration import GeneratorTraining, PhaseConfiguration
from MedUSISLib.training.fine_tuning import Start
from MedUSISLib.training.freezing import freeze
from MedUSISLib.training.processes import Processes
from MedUSISLib.training.starting_weights import load_starting_weights

_LARGEST_WEIGHT = 1e6
"""Those of trained networks are below 100, and Adam moves none by much more than the learning rate."""


class Adversaries:
    """The networks that are trained together, and everything of them that a checkpoint needs.

    The discriminator and the segmentator exist only when a phase uses them: an L1 warm start pays for neither. With
    several processes all begin with the first one's weights, and BatchNorm looks at all of their images.

    Parameters
    ----------
    configuration : GeneratorTraining
    schema : LabelSchema
    fabric : lightning.fabric.Fabric
        Places networks and optimisers on the device, with the precision asked for.
    start : Start, optional
        What the generator is fine-tuned from; discriminator and segmentator always begin anew.
    weights : mapping of str to Tensor, optional
        The parent's; not needed when a checkpoint is loaded afterwards.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` for a network that cannot be built or does not fit the crop.
    """

    def __init__(
        self,
        configuration: GeneratorTraining,
        schema: LabelSchema,
        fabric: Any,
        start: Start | None = None,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.fabric = fabric
        self.processes = Processes(fabric)
        self.anchor = load_anchor(configuration, schema, fabric.device)
        classes = schema.number_of_classes
        arguments = dict(configuration.network)
        name = arguments.pop("name", "wavelet_generator")
        self.generator_name = name if start is None else start.network
        crop = tuple(configuration.data.crop)
        dimensions = {"spatial_dims": 3} if len(crop) == 3 else {}  # what is 2D says nothing of it in its manifest
        fresh = {"number_of_classes": classes, **dimensions, **arguments}
        self.generator_arguments = fresh if start is None else start.arguments
        self.start_settings = configuration.start_from
        betas = configuration.betas
        plain = channels_last(_new("network", self.generator_name, self.generator_arguments))
        _check_fit(plain, self.generator_arguments, configuration)
        self.trained_weights = sum(parameter.numel() for parameter in plain.parameters())
        if start is not None and configuration.start_from is not None:
            if weights is not None:
                load_starting_weights(plain, start, weights, schema)
            self.trained_weights = freeze(plain, configuration.start_from.frozen, bool(start.new))
        if self.processes.world > 1:
            synchronise_batch_norm(plain)
            self.processes.share_weights(plain)
        trained = [parameter for parameter in plain.parameters() if parameter.requires_grad]
        self.ema = ExponentialMovingAverage(plain, decay=configuration.phases[0].ema)
        self.generator, self.generator_optimiser = fabric.setup(plain, _adam(trained, 1e-4, betas))
        self.ema.network.to(fabric.device)
        self.discriminator: nn.Module | None = None
        self.segmentator: nn.Module | None = None
        if any(phase.adversarial > 0 for phase in configuration.phases):
            patch = configuration.discriminator_crop
            size = tuple(min(patch, n) for n in crop) if patch else crop
            settings = {"image_size": size, **dimensions, **configuration.discriminator}
            network = channels_last(_new("discriminator", "wavelet_discriminator", settings))
            self.processes.share_weights(network)
            self.discriminator, self.discriminator_optimiser = fabric.setup(
                network, _adam(network.parameters(), 2e-3, betas)
            )
        if any(phase.segmentation > 0 for phase in configuration.phases):
            settings = {"number_of_classes": classes, **dimensions, **configuration.segmentator}
            network = channels_last(_new("segmentator", "segmentator", settings))
            self.processes.share_weights(network)
            self.segmentator, self.segmentator_optimiser = fabric.setup(
                network, _adam(network.parameters(), 4e-4, betas)
            )

    @property
    def noise_channels(self) -> int:
        """Length of the noise vector."""
        return int(self.generator_arguments.get("noise_channels", 64))

    def sound(self) -> bool:
        """Whether all weights of all networks are finite numbers, and none is as large as no training makes it.

        Weights that have exploded may be finite still when a checkpoint is due; the loss shows it one step later.
        """
        networks = [self.generator, self.ema.network, self.discriminator, self.segmentator]
        return all(
            _within(tensor, _LARGEST_WEIGHT if isinstance(tensor, nn.Parameter) else math.inf)
            for network in networks
            if network is not None
            for tensor in network.state_dict(keep_vars=True).values()
            if tensor.is_floating_point()
        )

    def set_rates(self, phase: PhaseConfiguration, share_done: float, iteration: int, factor: float = 1.0) -> None:
        """Learning rates for a point of a phase, times ``factor``; the generator's falls along a cosine."""
        tuning = 1.0 if self.start_settings is None else self.start_settings.factor(iteration)
        fall = phase.final_rate + (1 - phase.final_rate) * 0.5 * (1 + math.cos(math.pi * min(share_done, 1.0)))
        rates = [(self.generator_optimiser, phase.generator_rate * fall * tuning)]
        if self.discriminator is not None:
            rates.append((self.discriminator_optimiser, phase.discriminator_rate))
        if self.segmentator is not None:
            rates.append((self.segmentator_optimiser, phase.segmentator_rate))
        for optimiser, rate in rates:
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
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


def _within(tensor: Tensor, limit: float) -> bool:
    """Whether all values are finite, and no larger than the limit."""
    if not tensor.numel():
        return True
    least, most = (float(value) for value in tensor.detach().aminmax())  # NaN makes both NaN
    return math.isfinite(least) and math.isfinite(most) and max(-least, most) <= limit


def _adam(weights: Iterable[Tensor], rate: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Adam that goes through the memory of weights, gradients and moments once instead of some ten times."""
    return torch.optim.Adam(weights, lr=rate, betas=betas, fused=True)


def _new(setting: str, name: str, arguments: dict[str, Any]) -> nn.Module:
    try:
        return build_network(name, arguments)
    except ZeroDivisionError:
        raise MedUSISError(ErrorCode.BAD_SETTING, f"{setting}: a width is 0", "correct it") from None
    except ValueError as error:
        hint = "image_size is discriminator_crop, or data.crop" if "image_size" in str(error) else "correct it"
        raise MedUSISError(ErrorCode.BAD_SETTING, f"{setting}: {error}", hint) from None


def _check_fit(network: nn.Module, arguments: dict[str, Any], configuration: GeneratorTraining) -> None:
    """What the generator is to draw, while it is trained and later, must be of a size that it can draw."""
    crop = configuration.data.crop
    dimensions = int(arguments.get("spatial_dims", 2))
    if dimensions != len(crop):
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"data.crop has {len(crop)} numbers, the generator has {dimensions} dimensions",
            "give as many numbers, or another network or generator to start from",
        )
    multiple = int(getattr(network, "size_multiple", 1))
    for setting, sizes in (("crop", crop), ("field_of_view", configuration.data.window)):
        if any(size % multiple for size in sizes):
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"data.{setting}: {' x '.join(map(str, sizes))} does not fit the network",
                f"give multiples of {multiple}",
            )
