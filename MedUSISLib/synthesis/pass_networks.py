"""A generator as the passes want it: what they share computed once, what a pass changes repeated quickly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from MedUSISLib.networks.dropout import set_mc_dropout
from MedUSISLib.networks.keep_masks import MaskSource
from MedUSISLib.networks.memory_format import channels_last
from MedUSISLib.networks.precision import arithmetic
from MedUSISLib.networks.prepared_wavelet import PreparedState, PreparedWavelet
from MedUSISLib.networks.wavelet_generator import WaveletGenerator
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.compiled_tail import CompiledTail
from MedUSISLib.synthesis.image_workers import ImageWorkers

if TYPE_CHECKING:
    from MedUSISLib.generators.manifest import Manifest


Tail = Callable[[PreparedState, list[MaskSource]], torch.Tensor]
Part = tuple[PreparedState, Sequence[Sequence[int]]]
"""State of one image of a batch (of all on an accelerator), and its seeds of each pass."""


class PassNetwork(Protocol):
    """A generator on a device.

    ``with_noise`` takes a noise vector ``[1, Z]`` once for all images, ``trunk`` computes for one-hot labels
    ``[n, C, ...]`` what all passes share, and ``tail`` draws one pass, ``[n, 1, ...]`` in [-1, 1], float32: with
    dropout from one seed for each image, or without. ``tails`` draws several passes, each with seeds of its own.
    """

    @property
    def size_multiple(self) -> int: ...

    def move_to(self, device: torch.device) -> None: ...

    def with_noise(self, z: torch.Tensor | None) -> Any: ...

    def trunk(self, onehot: torch.Tensor, noise: Any) -> Any: ...

    def tail(self, state: Any, seeds: Sequence[int] | None = None) -> torch.Tensor: ...

    def tails(self, state: Any, seeds: Sequence[Sequence[int]]) -> list[torch.Tensor]: ...

    def compile_passes(self, progress: Progress | None) -> None:
        """From now on what passes repeat is compiled, and ``progress`` hears of it; None: it is not."""


def pass_network(network: nn.Module, manifest: Manifest, device: torch.device) -> PassNetwork:
    """The fastest way there is to draw with a network: prepared (wavelet generators of slices), or as it is.

    Parameters
    ----------
    network : nn.Module
        In eval mode. A prepared one is a copy: the network itself stays where and what it is.
    manifest : Manifest
        Its ``precision`` is that of the arithmetic, where the device has it.
    device : torch.device
    """
    if type(network) is WaveletGenerator and manifest.spatial_dims == 2:
        return PreparedPasses(network, manifest.precision, device)
    return PlainPasses(network, manifest, device)


class PreparedPasses:
    """A wavelet generator with everything folded (`prepared_wavelet`); dropout from its own stream for each image.

    Parameters
    ----------
    network : WaveletGenerator
    precision : {"float32", "bfloat16"}
    device : torch.device
    """

    def __init__(self, network: WaveletGenerator, precision: str, device: torch.device) -> None:
        self._device, self._precision = device, precision
        self._network = PreparedWavelet(network, arithmetic(precision, device)).to(device)
        # a CPU may have to go on where an accelerator's memory ended, in another precision
        self._source = network if device.type != "cpu" else None
        self._workers = ImageWorkers()
        self._compiled: CompiledTail | None = None

    @property
    def size_multiple(self) -> int:
        return self._network.size_multiple

    def move_to(self, device: torch.device) -> None:
        dtype = arithmetic(self._precision, device)
        if self._source is not None and dtype != self._network.dtype:
            self._network = PreparedWavelet(self._source, dtype)
        if device != self._device:
            self._compiled = None
        self._device, self._network = device, self._network.to(device)

    def with_noise(self, z: torch.Tensor | None) -> Any:
        with torch.inference_mode():
            return self._network.with_noise(None if z is None else z.to(self._device))

    def trunk(self, onehot: torch.Tensor, noise: Any) -> Any:
        def work(part: torch.Tensor) -> PreparedState:
            with torch.inference_mode():
                return self._network.trunk(part, noise)

        return self._workers.map(work, self._groups(onehot))

    def tail(self, state: Any, seeds: Sequence[int] | None = None) -> torch.Tensor:
        if seeds is None:
            return torch.cat(self._workers.map(self._without_dropout, state))
        return self._passes(state, [seeds])[0]

    def tails(self, state: Any, seeds: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        if self._device.type == "cpu":
            return self._passes(state, seeds)  # no core waits for the others after each pass
        return [self.tail(state, those) for those in seeds]  # CUDA graphs write each pass into the same memory

    def compile_passes(self, progress: Progress | None) -> None:
        if progress is None:
            self._compiled = None
        elif self._compiled is None:
            self._compiled = CompiledTail(self._network, progress)
        else:
            self._compiled.progress = progress

    def _without_dropout(self, state: PreparedState) -> torch.Tensor:
        with torch.inference_mode():
            return self._network.tail(state)

    def _passes(self, state: Any, seeds: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        groups = zip(*(self._groups(those) for those in seeds), strict=True)
        parts: list[Part] = list(zip(state, groups, strict=True))
        drawn, compiled = None, self._compiled
        if compiled is not None:
            drawn = compiled.attempt(state, lambda: self._drawn(compiled, parts))
        if drawn is None:
            drawn = self._drawn(self._network.tail, parts)
        return [torch.cat(images) for images in zip(*drawn, strict=True)]

    def _drawn(self, tail: Tail, parts: Sequence[Part]) -> list[list[torch.Tensor]]:
        """For each part its images of each pass."""

        def work(part: Part) -> list[torch.Tensor]:
            with torch.inference_mode():
                return [tail(part[0], [MaskSource(seed, self._device) for seed in seeds]) for seeds in part[1]]

        return self._workers.map(work, parts)

    def _groups(self, items: Any) -> list[Any]:
        """One by one on a CPU, whose cores take an image each; all at once on an accelerator."""
        return [items] if self._device.type != "cpu" else [items[n : n + 1] for n in range(len(items))]


class PlainPasses:
    """Any network: dropout from torch's global random state, one image at a time.

    Where it has no ``trunk`` and ``tail`` the whole of it is repeated.

    Parameters
    ----------
    network : nn.Module
        Moved to the device, in eval mode.
    manifest : Manifest
    device : torch.device
    """

    def __init__(self, network: nn.Module, manifest: Manifest, device: torch.device) -> None:
        self._network = channels_last(network.eval()) if manifest.spatial_dims == 2 else network.eval()
        self._precision = manifest.precision
        self.move_to(device)

    @property
    def size_multiple(self) -> int:
        return int(getattr(self._network, "size_multiple", 1))

    def move_to(self, device: torch.device) -> None:
        self._device, self._network = device, self._network.to(device)

    def with_noise(self, z: torch.Tensor | None) -> Any:
        return None if z is None else z.to(self._device)

    def trunk(self, onehot: torch.Tensor, noise: Any) -> Any:
        z = None if noise is None else noise.expand(len(onehot), -1)
        trunk: Callable[..., Any] | None = getattr(self._network, "trunk", None)
        if trunk is None:
            return onehot, z
        with torch.inference_mode(), self._autocast():
            return trunk(onehot, z)

    def tail(self, state: Any, seeds: Sequence[int] | None = None) -> torch.Tensor:
        if seeds is None:
            return self._drawn(state)
        images = []
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            set_mc_dropout(self._network, True)
            try:
                for number, seed in enumerate(seeds):
                    torch.manual_seed(seed)
                    images.append(self._drawn(_part(state, number)))
            finally:
                set_mc_dropout(self._network, False)
        return torch.cat(images)

    def tails(self, state: Any, seeds: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        return [self.tail(state, those) for those in seeds]

    def compile_passes(self, progress: Progress | None) -> None:
        if progress is not None:
            progress.warning("NOT_COMPILED", "only generators of slices of the wavelet family can be compiled")

    def _drawn(self, state: Any) -> torch.Tensor:
        tail: Callable[..., torch.Tensor] | None = getattr(self._network, "tail", None)
        with torch.inference_mode(), self._autocast():
            return (tail(state) if tail is not None else self._network(*state)).float()

    def _autocast(self) -> AbstractContextManager[Any]:
        dtype = arithmetic(self._precision, self._device)
        return nullcontext() if dtype == torch.float32 else torch.autocast(self._device.type, dtype=dtype)


def _part(state: Any, number: int) -> Any:
    """The state of one image of the batch, whatever containers the network keeps its tensors in."""
    if isinstance(state, torch.Tensor):
        return state[number : number + 1] if state.ndim else state
    if isinstance(state, dict):
        return {key: _part(value, number) for key, value in state.items()}
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(_part(value, number) for value in state))
    if isinstance(state, (tuple, list)):
        return type(state)(_part(value, number) for value in state)
    if is_dataclass(state) and not isinstance(state, type):
        return replace(state, **{f.name: _part(getattr(state, f.name), number) for f in fields(state)})
    return state
