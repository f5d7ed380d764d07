"""The OASIS generator: SPADE residual blocks at the image's own resolutions (Schönfeld et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from MedUSISLib.networks.condition_convolution import ConditionConvolution
from MedUSISLib.networks.conditioning import Condition, Conditioning, check_size
from MedUSISLib.networks.generator_state import TrunkState
from MedUSISLib.networks.initialisation import Initialisation
from MedUSISLib.networks.layers import check_spatial_dims, convolution, leaky_relu, nearest_up
from MedUSISLib.networks.precision import in_full_precision
from MedUSISLib.networks.spade import Spade

STANDARD_WIDTHS = (1024, 1024, 1024, 512, 256, 128, 64)


class SpadeBlock(nn.Module):
    """``skip(x) + conv(lrelu(SPADE(conv(lrelu(SPADE(x))))))``; the skip has a SPADE of its own where widths differ."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        classes: int,
        noise_channels: int,
        hidden: int,
        spatial_dims: int,
        dropout: float,
        spectral: bool,
    ) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        condition = (classes, noise_channels, hidden, spatial_dims)
        self.norm1 = Spade(inputs, *condition)
        self.conv1 = convolution(spatial_dims, inputs, middle, 3, spectral=spectral)
        self.norm2 = Spade(middle, *condition)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.conv2 = convolution(spatial_dims, middle, outputs, 3, spectral=spectral)
        self.norm_skip: Spade | None = None
        self.skip: nn.Module = nn.Identity()
        if inputs != outputs:
            self.norm_skip = Spade(inputs, *condition)
            self.skip = convolution(spatial_dims, inputs, outputs, 1, bias=False, spectral=spectral)

    def modulations(self, condition: Condition) -> tuple[Tensor, ...]:
        """Scales and shifts of the two or three norm layers."""
        norms = [self.norm1, self.norm2] + ([self.norm_skip] if self.norm_skip is not None else [])
        return tuple(norm.modulation(condition) for norm in norms)

    def before_dropout(self, x: Tensor, modulations: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """What enters the dropout, and the skip branch."""
        dx = self.conv1(leaky_relu(self.norm1.modulate(x, modulations[0])))
        activated = leaky_relu(self.norm2.modulate(dx, modulations[1]))
        return activated, self.skip(x if self.norm_skip is None else self.norm_skip.modulate(x, modulations[2]))

    def after_dropout(self, activated: Tensor, skip: Tensor) -> Tensor:
        """The block's output from the dropout on."""
        return skip + self.conv2(self.dropout(activated))

    def forward(self, x: Tensor, modulations: tuple[Tensor, ...]) -> Tensor:
        """``[B, inputs, ...]`` -> ``[B, outputs, ...]``."""
        return self.after_dropout(*self.before_dropout(x, modulations))


class OasisGenerator(nn.Module):
    """Synthetic MR from labels and noise, 71.0 M parameters at 31 classes; called as `WaveletGenerator` is.

    Parameters
    ----------
    number_of_classes, spatial_dims, widths, noise_channels, spade_hidden, dropout, dropout_blocks, spectral
        As in `WaveletGenerator`; widths need not be multiples of anything.
    """

    def __init__(
        self,
        number_of_classes: int,
        spatial_dims: int = 2,
        widths: Sequence[int] = STANDARD_WIDTHS,
        noise_channels: int = 64,
        spade_hidden: int = 128,
        dropout: float = 0.0,
        dropout_blocks: int = 3,
        spectral: bool = True,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        if len(widths) < 2:
            raise ValueError(f"at least two widths are needed, got {tuple(widths)}")
        blocks = len(widths) - 1
        self.number_of_classes = number_of_classes
        self.noise_channels = noise_channels
        self._first_of_tail = blocks - min(max(dropout_blocks, 1), blocks)
        self.start = ConditionConvolution(
            number_of_classes, noise_channels, widths[0], spatial_dims, Initialisation.XAVIER, 1.0
        )
        self.blocks = nn.ModuleList(
            SpadeBlock(
                widths[i],
                widths[i + 1],
                number_of_classes,
                noise_channels,
                spade_hidden,
                spatial_dims,
                dropout if i >= blocks - dropout_blocks else 0.0,
                spectral,
            )
            for i in range(blocks)
        )
        self.to_image = convolution(spatial_dims, widths[-1], 1, 3)

    @property
    def size_multiple(self) -> int:
        """Every spatial size must be a multiple of this (32 at the standard widths)."""
        return 2 ** (len(self.blocks) - 1)

    def forward(self, onehot: Tensor, z: Tensor | None = None) -> Tensor:
        """Labels ``[B, C, ...]`` and noise to an image ``[B, 1, ...]`` in [-1, 1]; see `WaveletGenerator.forward`."""
        return self.tail(self.trunk(onehot, z))

    def trunk(self, onehot: Tensor, z: Tensor | None = None) -> TrunkState:
        """Everything before the first dropout, with the modulations of all blocks after it."""
        check_size(onehot, self.number_of_classes, self.size_multiple)
        conditioning = Conditioning(onehot, z, self.noise_channels)
        blocks = self._all()
        modulations = [block.modulations(conditioning.at(2 ** (len(blocks) - 1 - i))) for i, block in enumerate(blocks)]
        x = self.start(conditioning.at(self.size_multiple))
        for i in range(self._first_of_tail):
            x = nearest_up(blocks[i](x, modulations[i]))
        activated, skip = blocks[self._first_of_tail].before_dropout(x, modulations[self._first_of_tail])
        return TrunkState(activated, skip, tuple(modulations[self._first_of_tail + 1 :]))

    def tail(self, state: TrunkState) -> Tensor:
        """From the first dropout to the image; draws dropout from torch's global random state where it is on."""
        blocks = self._all()[self._first_of_tail :]
        x = blocks[0].after_dropout(state.activated, state.skip)
        for block, modulations in zip(blocks[1:], state.modulations, strict=True):
            x = block(nearest_up(x), modulations)
        with in_full_precision(x):
            return torch.tanh(self.to_image(leaky_relu(x.float())))

    def _all(self) -> list[SpadeBlock]:
        return list(self.blocks)  # type: ignore[arg-type]
