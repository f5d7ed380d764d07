"""The wavelet generator: SPADE blocks whose channels are Haar bands, so that it works at half the image's size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from MedUSISLib.networks.condition_convolution import ConditionConvolution
from MedUSISLib.networks.conditioning import Condition, Conditioning, check_size
from MedUSISLib.networks.generator_state import TrunkState
from MedUSISLib.networks.haar import haar_forward, haar_inverse
from MedUSISLib.networks.initialisation import Initialisation
from MedUSISLib.networks.layers import check_spatial_dims, convolution, leaky_relu_, linear_up, nearest_up
from MedUSISLib.networks.precision import in_full_precision
from MedUSISLib.networks.sharpening import sharpened
from MedUSISLib.networks.spade import Spade

STANDARD_WIDTHS = (1024, 1024, 1024, 512, 256, 128, 64)


class WaveletNorm(nn.Module):
    """Inverse Haar -> BatchNorm -> SPADE at twice the size -> Haar back."""

    def __init__(
        self, channels: int, classes: int, noise_channels: int, hidden: int, spatial_dims: int, grain: bool
    ) -> None:
        super().__init__()
        self.spade = Spade(channels // 2**spatial_dims, classes, noise_channels, hidden, spatial_dims, grain=grain)

    def modulation(self, condition: Condition) -> Tensor:
        """Scale and shift at twice the size of the features."""
        return self.spade.modulation(condition)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """``[B, c, n, n]`` -> ``[B, c, n, n]``; the modulation is at ``2n``."""
        return haar_forward(self.spade.modulate(haar_inverse(x), modulation))


class WaveletBlock(nn.Module):
    """Residual and skip branch, returned apart: they are enlarged in different ways."""

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
        grain: bool,
    ) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.norm1 = WaveletNorm(inputs, classes, noise_channels, hidden, spatial_dims, grain)
        self.conv1 = convolution(spatial_dims, inputs, middle, 3, spectral=spectral)
        self.norm2 = WaveletNorm(middle, classes, noise_channels, hidden, spatial_dims, grain)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.conv2 = convolution(spatial_dims, middle, outputs, 3, spectral=spectral)
        self.skip: nn.Module = nn.Identity()
        if inputs != outputs:
            self.skip = convolution(spatial_dims, inputs, outputs, 1, bias=False, spectral=spectral)

    def modulations(self, condition: Condition) -> tuple[Tensor, ...]:
        """Scales and shifts of the two norm layers."""
        return self.norm1.modulation(condition), self.norm2.modulation(condition)

    def before_dropout(self, x: Tensor, modulations: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """What enters the dropout, and the skip branch."""
        first, second = modulations
        dx = self.conv1(leaky_relu_(self.norm1(x, first)))
        return leaky_relu_(self.norm2(dx, second)), self.skip(x)

    def after_dropout(self, activated: Tensor) -> Tensor:
        """The residual branch from the dropout on."""
        return self.conv2(self.dropout(activated))

    def forward(self, x: Tensor, modulations: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Residual and skip branch."""
        activated, skip = self.before_dropout(x, modulations)
        return self.after_dropout(activated), skip


class WaveletGenerator(nn.Module):
    """Synthetic MR from labels and noise, 54.1 M parameters at 31 classes (thesis, chapter 4).

    Parameters
    ----------
    number_of_classes : int
        ``C`` of the label schema.
    spatial_dims : {2, 3}
        Slices or volumes.
    widths : sequence of int
        Start width, then the output width of every block; multiples of 4 (2D) or 8 (3D).
    noise_channels : int
        Channels of ``z``; 0 for the deterministic variant.
    spade_hidden : int
        Width of SPADE's shared convolution.
    dropout : float
        Probability in the last ``dropout_blocks`` blocks.
    dropout_blocks : int
        How many of the last blocks have it; also where `trunk` ends.
    spectral : bool
        Spectral norm on the blocks' convolutions; False to load weights that `fold_spectral_norm` has folded.
    sharpening : float
        Strength of a last unsharp mask, ``x + s (x - blurred x)`` with the binomial kernel [1, 2, 1]; set when a
        generator is exported, so that its fine detail is as strong as in real images. 0 is the published network.
    grain_blocks : int
        How many of the last blocks are given grain, see `grain`; 0 is the published network. Without noise channels,
        or with a noise map, there is none.

    Raises
    ------
    ValueError
        If a width cannot be divided into bands.

    Attributes
    ----------
    first_of_tail : int
        Number of the block with the first dropout.

    Examples
    --------
    >>> net = WaveletGenerator(16, widths=(32, 32, 16), spade_hidden=8).eval()
    >>> labels = torch.zeros(1, 16, 32, 32)
    >>> labels[:, 0] = 1
    >>> net(labels, torch.randn(1, 64)).shape
    torch.Size([1, 1, 32, 32])
    >>> state = net.trunk(labels, None)              # once
    >>> images = [net.tail(state) for _ in range(3)]  # every pass
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
        grain_blocks: int = 0,
        sharpening: float = 0.0,
    ) -> None:
        super().__init__()
        bands = 2 ** check_spatial_dims(spatial_dims)
        if len(widths) < 2 or any(width <= 0 or width % bands for width in widths):
            raise ValueError(f"widths must be at least two multiples of {bands}, got {tuple(widths)}")
        blocks = len(widths) - 1
        self.number_of_classes = number_of_classes
        self.noise_channels = noise_channels
        self._has_grain = grain_blocks > 0
        self.sharpening = sharpening
        self.first_of_tail = blocks - min(max(dropout_blocks, 1), blocks)
        self.start = ConditionConvolution(
            number_of_classes, noise_channels, widths[0], spatial_dims, Initialisation.XAVIER, 1.0
        )
        self.blocks = nn.ModuleList(
            WaveletBlock(
                widths[i],
                widths[i + 1],
                number_of_classes,
                noise_channels,
                spade_hidden,
                spatial_dims,
                dropout if i >= blocks - dropout_blocks else 0.0,
                spectral,
                i >= blocks - grain_blocks,
            )
            for i in range(blocks)
        )
        self.to_bands = convolution(spatial_dims, widths[-1], bands, 1)

    @property
    def size_multiple(self) -> int:
        """Every spatial size must be a multiple of this (64 at the standard widths)."""
        return 2 ** len(self.blocks)

    def forward(self, onehot: Tensor, z: Tensor | None = None) -> Tensor:
        """Labels and noise to an image.

        Parameters
        ----------
        onehot : Tensor
            ``[B, C, H, W]`` or ``[B, C, D, H, W]``, float.
        z : Tensor or None
            ``[B, 64]`` (the same everywhere: slices of a volume do not flicker), a map ``[B, 64, H, W]``, or None
            for the mean noise 0.

        Returns
        -------
        Tensor
            ``[B, 1, H, W]`` or ``[B, 1, D, H, W]`` in [-1, 1], float32 under autocast too.

        Raises
        ------
        ValueError
            If labels or noise do not fit the network, or a size is no multiple of `size_multiple`.
        """
        return self.tail(self.trunk(onehot, z))

    def trunk(self, onehot: Tensor, z: Tensor | None = None) -> TrunkState:
        """Everything before the first dropout, with the modulations of all blocks after it."""
        check_size(onehot, self.number_of_classes, self.size_multiple)
        conditioning = Conditioning(onehot, z, self.noise_channels, grain=self._has_grain)
        x = self.start(conditioning.at(self.size_multiple))
        for i, block in enumerate(self._all()[: self.first_of_tail]):
            x = self._enlarge(*block(x, block.modulations(conditioning.at(self._factor(i)))))
        block = self._all()[self.first_of_tail]
        activated, skip = block.before_dropout(x, block.modulations(conditioning.at(self._factor(self.first_of_tail))))
        later = range(self.first_of_tail + 1, len(self.blocks))
        modulations = tuple(self._all()[i].modulations(conditioning.at(self._factor(i))) for i in later)
        if modulations:
            skip = self._enlarge_skip(skip)
        return TrunkState(activated, skip, modulations)

    def tail(self, state: TrunkState) -> Tensor:
        """From the first dropout to the image; draws dropout from torch's global random state where it is on."""
        dx, skip = self._all()[self.first_of_tail].after_dropout(state.activated), state.skip
        blocks = self._all()[self.first_of_tail + 1 :]
        for i, (block, modulations) in enumerate(zip(blocks, state.modulations, strict=True)):
            if i:
                skip = self._enlarge_skip(skip)
            dx, skip = block(nearest_up(dx) + skip, modulations)
        with in_full_precision(dx):
            bands = self.to_bands(dx.float() + skip.float())
            return sharpened(torch.tanh(haar_inverse(bands)), self.sharpening)

    def _all(self) -> list[WaveletBlock]:
        return list(self.blocks)  # type: ignore[arg-type]

    def _factor(self, block: int) -> int:
        """SPADE of block 0 works at twice the start's size, that of the last one at the image's."""
        return 2 ** (len(self.blocks) - 1 - block)

    def _enlarge(self, dx: Tensor, skip: Tensor) -> Tensor:
        return nearest_up(dx) + self._enlarge_skip(skip)

    @staticmethod
    def _enlarge_skip(skip: Tensor) -> Tensor:
        """The skip branch is enlarged as the image that it stands for, not as bands."""
        return haar_forward(linear_up(haar_inverse(skip)))
