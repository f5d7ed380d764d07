"""A first version of such a training, piece by piece: the yardstick of `training_throughput`.

Slices are decoded from the file of their volume when they are asked for; Haar transforms are convolutions of
zero-stuffed bands; noise is spread over the slice and convolved as 64 more channels; spectral norm and Adam are torch's
plain ones; each player draws the images for itself, the discriminator's weights get gradients in the generator's step
too, and R1 is taken at every step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class FromFiles:
    """Batches as `GeneratorData.batch` gives them, each slice decoded from the file of its volume."""

    def __init__(self, folder: Path, crop: tuple[int, int], people: int, slices: int, size: int) -> None:
        import numpy as np

        self.folder, self.crop, self.rng = folder, crop, np.random.default_rng(0)
        self.people, self.slices, self.size = people, slices, size

    def _slice(self, name: str, k: int, order: int) -> Any:
        import nibabel
        import numpy as np
        from scipy import ndimage

        plane = np.asarray(nibabel.load(self.folder / name).dataobj[:, :, k])
        plane = ndimage.zoom(plane.T.astype(np.float32), 0.9, order=order)
        padded = np.zeros(self.crop, np.float32)
        rows, columns = (min(a, b) for a, b in zip(plane.shape, self.crop, strict=True))
        spare = (plane.shape[1] - columns) // 2
        padded[:rows, :columns] = plane[:rows, spare : spare + columns]
        return padded

    def batch(self) -> Any:
        import numpy as np
        import torch

        from MedUSISLib.training.batch import Batch

        labels, targets, real = [], [], []
        for _ in range(self.size):
            person, k = self.rng.integers(self.people), int(self.rng.integers(40, self.slices - 40))
            labels.append(self._slice(f"{person}-labels.nii.gz", k, 0))
            targets.append(self._slice(f"{person}.nii.gz", k, 1))
            person, k = self.rng.integers(self.people), int(self.rng.integers(40, self.slices - 40))
            real.append(self._slice(f"{person}.nii.gz", k, 1))

        def images(slices: list[Any]) -> torch.Tensor:
            return torch.from_numpy(np.stack(slices))[:, None] / (960 / 2) - 1

        return Batch(torch.from_numpy(np.stack(labels)).long(), images(targets).clamp(-1, 1), images(real).clamp(-1, 1))


def zero_stuffed_haar() -> tuple[Any, Any]:
    """Forward and inverse as convolutions at full size: filter then drop every other pixel, or stuff then filter."""
    import torch
    import torch.nn.functional as F

    def kernels(x: torch.Tensor, channels: int, flipped: bool) -> list[torch.Tensor]:
        result = []
        for band in range(4):
            row = torch.tensor([1.0, -1.0 if band & 1 else 1.0])
            column = torch.tensor([1.0, -1.0 if band & 2 else 1.0])
            kernel = torch.outer(row, column) / 2
            kernel = kernel.flip(0, 1) if flipped else kernel
            result.append(kernel.to(x).expand(channels, 1, 2, 2).contiguous())
        return result

    def forward(x: torch.Tensor) -> torch.Tensor:
        channels = x.shape[1]
        return torch.cat([F.conv2d(x, k, groups=channels)[:, :, ::2, ::2] for k in kernels(x, channels, False)], 1)

    def inverse(x: torch.Tensor) -> torch.Tensor:
        bands = x.chunk(4, 1)
        channels = bands[0].shape[1]
        total: Any = 0
        for band, kernel in zip(bands, kernels(x, channels, True), strict=True):
            stuffed = band.new_zeros(*band.shape[:2], 2 * band.shape[2], 2 * band.shape[3])
            stuffed[:, :, ::2, ::2] = band
            total = total + F.conv2d(F.pad(stuffed, (1, 0, 1, 0)), kernel, groups=channels)
        return total

    return forward, inverse


def make_naive(lacking: set[str]) -> None:
    """Take measures out of the running program, before its networks are built."""
    import torch

    from MedUSISLib.networks import layers, spade, wavelet_discriminator, wavelet_generator
    from MedUSISLib.networks.haar import haar_forward, haar_inverse
    from MedUSISLib.training import generator_losses, generator_networks, generator_step

    if "haar" in lacking:
        forward, inverse = zero_stuffed_haar()
        x = torch.rand(2, 8, 6, 10)
        assert torch.allclose(forward(x), haar_forward(x), atol=1e-6)
        assert torch.allclose(inverse(x), haar_inverse(x), atol=1e-6)
        for module in (wavelet_generator, wavelet_discriminator):
            for name, function in (("haar_forward", forward), ("haar_inverse", inverse)):
                if hasattr(module, name):
                    setattr(module, name, function)
    if "channels_last" in lacking:
        one_hot = generator_step.one_hot
        generator_networks.channels_last = lambda network: network
        generator_step.one_hot = lambda labels, classes: one_hot(labels, classes).contiguous()
    if "weights" in lacking:
        layers.spectral_norm = torch.nn.utils.parametrizations.spectral_norm
        generator_networks._adam = lambda weights, rate, betas: torch.optim.Adam(weights, lr=rate, betas=betas)
    if "checkpointing" in lacking:
        spade.checkpoint = lambda function, *inputs, **_: function(*inputs)
    if "parts" in lacking:
        for module in (generator_losses, generator_step):
            module.parts_of = lambda images, discriminator: [images]
        generator_losses.value_with_gradient = lambda function, images: function(images)
    if "heap" in lacking:
        generator_step.trim_heap = lambda: None
    if "players" in lacking:
        generator_losses.require_grad = lambda network, on: None


def noise_map(noise: Any, shape: tuple[int, int]) -> Any:
    """The vectors [B, Z] spread over the slices."""
    return noise[:, :, None, None].expand(*noise.shape, *shape).contiguous()


def step_of_two_players(
    networks: Any, batch: Any, noise: Any, phase: Any, iteration: int, classes: int, patches: Any, grain: Any
) -> None:
    """`train_step` of one part, with each player's images drawn for it."""
    import torch

    from MedUSISLib.training import generator_step as ours
    from MedUSISLib.training.losses.adversarial import discriminator_loss, r1_penalty

    whole = ours.WholeBatch.of(batch, phase, classes, networks.processes)
    (part,) = batch.split(1, noise, whole.sizes)
    onehot = ours.one_hot(batch.labels, classes)
    for number in range(phase.discriminator_steps):
        with torch.no_grad():
            fake = networks.generator(onehot, noise)
        networks.discriminator_optimiser.zero_grad()
        real = patches(batch.real)
        synthetic = patches(grain(fake, batch.labels))
        loss = discriminator_loss(networks.discriminator(real), networks.discriminator(synthetic))
        if not number and iteration % phase.r1_every == 0:
            loss = loss + r1_penalty(networks.discriminator.module, real, phase.r1, phase.r1_every)
        networks.fabric.backward(loss)
        networks.discriminator_optimiser.step()
    networks.generator_optimiser.zero_grad()
    fake = networks.generator(onehot, noise)
    losses = ours.generator_losses(networks, part, fake, phase, classes, whole, patches, grain)
    networks.fabric.backward(sum(weight * value for weight, value in losses.values()))
    networks.fabric.clip_gradients(
        networks.generator, networks.generator_optimiser, max_norm=10.0, error_if_nonfinite=False
    )
    networks.generator_optimiser.step()
    networks.ema.update(networks.generator.module)
