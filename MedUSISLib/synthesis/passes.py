"""The network at work on a few slices or windows: one-hot labels in, one image per pass out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.moments import RunningMoments
from MedUSISLib.synthesis.noise import derived_seed, volume_noise
from MedUSISLib.synthesis.pass_networks import PassNetwork, pass_network

if TYPE_CHECKING:
    from MedUSISLib.generators.manifest import Manifest

PASSES_TOGETHER = 4
"""Passes that are drawn before their images are added up: cores with an image each wait for each other only then."""


@dataclass(frozen=True)
class PassSettings:
    """How often and with what randomness the network runs.

    Attributes
    ----------
    passes : int
        Dropout passes. With one, dropout is off and the image is the network's own; with more, the image is their mean.
    noise_samples : int
        Images with noise of their own (dropout off), for the noise spread.
    truncation : float
    seed : int
    """

    passes: int = 8
    noise_samples: int = 0
    truncation: float = 2.0
    seed: int = 0


@dataclass(frozen=True)
class ImageMaps:
    """Mean and variance over the passes of a few images, and the variance over noise samples; network intensities."""

    mean: np.ndarray
    variance: np.ndarray
    spread: np.ndarray | None


Blend = Callable[[torch.Tensor], torch.Tensor]


class PassSampler:
    """Runs a generator several times on the same labels, repeating only what a pass changes.

    What a pass changes begins at the first dropout (``network.tail``); everything before is computed once
    (``network.trunk``). Dropout has a seed of its own for each pass and image, made of (seed, pass, image), so that
    neither the batch size nor a retry with a smaller batch changes what is dropped.

    Parameters
    ----------
    network : nn.Module or PassNetwork
        From ``Bundle.load_network``, or what `pass_network` has made of it (to use it for several volumes).
    manifest : Manifest
    settings : PassSettings
    device : torch.device or str

    Examples
    --------
    >>> sampler = PassSampler(bundle.load_network(), bundle.manifest, PassSettings(passes=4))  # doctest: +SKIP
    >>> sampler.maps(labels[10:14], keys=range(10, 14)).mean.shape                             # doctest: +SKIP
    (4, 256, 256)
    """

    def __init__(
        self,
        network: nn.Module | PassNetwork,
        manifest: Manifest,
        settings: PassSettings,
        device: torch.device | str = "cpu",
    ) -> None:
        self.settings = settings
        self.manifest = manifest
        self.device = torch.device(device)
        self.number_of_classes = int(manifest.network.arguments["number_of_classes"])
        if isinstance(network, nn.Module):
            network = pass_network(network, manifest, self.device)
        self._network = network
        self._noise: dict[int, Any] = {}
        self.move_to(device)

    def move_to(self, device: torch.device | str) -> None:
        """Continue on another device."""
        self.device = torch.device(device)
        self._network.move_to(self.device)
        self._noise.clear()

    def compile_passes(self, progress: Progress | None) -> None:
        """Compile what passes repeat (`compiled_tail`), and tell ``progress``; None: do not."""
        self._network.compile_passes(progress)

    @property
    def has_dropout(self) -> bool:
        """Whether passes can differ at all."""
        return self.manifest.dropout.rate > 0

    @property
    def size_multiple(self) -> int:
        """Sides of an image are padded to a multiple of this."""
        return self._network.size_multiple

    def maps(
        self, labels: np.ndarray, keys: Sequence[object], blend: Blend | None = None, batch: int | None = None
    ) -> ImageMaps:
        """Mean and variance of a few images.

        Parameters
        ----------
        labels : uint8 array [n, ...]
            Class indices of n slices, windows or 3D windows.
        keys : sequence of n
            Names the images for the random numbers: slice numbers, or (slice, window) pairs.
        blend : callable, optional
            Turns the n images of one pass into what the moments are taken of (window mode).
        batch : int, optional
            Images at once in the part before the passes; all by default.
        """
        size = batch or len(labels)
        over_passes = _moments(self._passes(labels, keys, size), blend)
        spread = None
        if self.settings.noise_samples:
            spread = _moments(self._noise_images(labels, size), blend).variance.cpu().numpy()
        return ImageMaps(over_passes.mean.cpu().numpy(), over_passes.variance.cpu().numpy(), spread)

    def _passes(self, labels: np.ndarray, keys: Sequence[object], size: int) -> Iterator[torch.Tensor]:
        """One image stack [n, ...] per pass."""
        if self.settings.passes == 1 or not self.has_dropout:
            yield self._images(labels, 0, size)
            return
        states = [self._network.trunk(self._onehot(part), self._with_noise(0)) for part in _parts(labels, size)]
        groups = list(_parts(keys, size))
        for numbers in _parts(range(self.settings.passes), PASSES_TOGETHER):
            drawn = []
            for state, group in zip(states, groups, strict=True):
                seeds = [[derived_seed(self.settings.seed, "dropout", n, key) for key in group] for n in numbers]
                drawn.append(self._network.tails(state, seeds))
            for images in zip(*drawn, strict=True):
                yield torch.cat([_cut(image, labels.shape[1:]) for image in images])

    def _noise_images(self, labels: np.ndarray, size: int) -> Iterator[torch.Tensor]:
        for sample in range(1, self.settings.noise_samples + 1):
            yield self._images(labels, sample, size)

    def _images(self, labels: np.ndarray, sample: int, size: int) -> torch.Tensor:
        """The network's images [n, ...] without dropout."""
        noise, images = self._with_noise(sample), []
        for part in _parts(labels, size):
            images.append(_cut(self._network.tail(self._network.trunk(self._onehot(part), noise)), labels.shape[1:]))
        return torch.cat(images)

    def _with_noise(self, sample: int) -> Any:
        """The network's own form of a noise vector, made once."""
        if sample not in self._noise:
            drawn = volume_noise(self.manifest.noise.channels, self.settings.truncation, self.settings.seed, sample)
            self._noise[sample] = self._network.with_noise(drawn)
        return self._noise[sample]

    def _onehot(self, labels: np.ndarray) -> torch.Tensor:
        """One-hot float tensor [n, C, ...], padded with background at the far ends to the network's multiple."""
        multiple = self.size_multiple
        pad = [(0, 0), *((0, -size % multiple) for size in labels.shape[1:])]
        if any(after for _, after in pad):
            labels = np.pad(labels, pad)
        indices = torch.from_numpy(np.ascontiguousarray(labels)).to(self.device).long().unsqueeze(1)
        onehot = torch.zeros((len(labels), self.number_of_classes, *labels.shape[1:]), device=self.device)
        onehot.scatter_(1, indices, 1.0)
        return onehot.contiguous(memory_format=torch.channels_last) if onehot.ndim == 4 else onehot


def _moments(images: Iterator[torch.Tensor], blend: Blend | None) -> RunningMoments:
    moments = RunningMoments()
    for image in images:
        moments.add(image if blend is None else blend(image))
    return moments


def _parts(items: Any, size: int) -> Iterator[Any]:
    for first in range(0, len(items), size):
        yield items[first : first + size]


def _cut(images: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Images [n, 1, ...] to [n, ...] of the unpadded shape."""
    return images[:, 0][(slice(None), *(slice(0, size) for size in shape))]
