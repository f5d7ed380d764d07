"""The generator and the case that the speed of MedUSIS is measured with: 54 M parameters, 31 classes, 256x256 slices.

The weights are random, which costs what trained ones cost, but for a few that make the body bright: the measures of the
quality report would else follow the outline of noise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

CLASSES = 31
SIZE = 256
ARGUMENTS: dict[str, Any] = {"number_of_classes": CLASSES, "dropout": 0.1, "dropout_blocks": 3}


def standard_network() -> torch.nn.Module:
    """A `WaveletGenerator` with spectral norm, in eval mode, bright where the labels are not background."""
    from MedUSISLib.networks.wavelet_generator import WaveletGenerator

    torch.manual_seed(0)
    network = WaveletGenerator(**ARGUMENTS).eval().requires_grad_(False)
    norm = network.blocks[-1].norm2.spade  # type: ignore[union-attr]
    hidden = norm.shared.convolution  # type: ignore[union-attr]
    hidden.weight[0] = 0
    hidden.weight[0, network.noise_channels + 1 :, 1, 1] = 1
    norm.beta.weight[:, 0, 1, 1] = 0.5  # type: ignore[union-attr]
    network.to_bands.bias[0] = -4
    return network


def brightened(network: torch.nn.Module) -> torch.nn.Module:
    """The same, folded: the body's brightness reaches the image through the last block's second convolution."""
    from MedUSISLib.networks.spectral_norm import fold_spectral_norm

    fold_spectral_norm(network)
    network.blocks[-1].conv2.weight[0, :16, 1, 1] += 0.12  # type: ignore[union-attr,operator]
    network.to_bands.weight[0, 0] += 2.5  # type: ignore[union-attr,operator]
    return network


def torso_slice(number: int = 0) -> np.ndarray:
    """Class indices of a made slice through a body: an oval of skin, fat and muscle with organs of every class.

    Returns
    -------
    uint8 ndarray [256, 256]
    """
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    result = np.zeros((SIZE, SIZE), np.uint8)
    for index, half in ((1, 0.44), (2, 0.43), (3, 0.38)):
        result[(rows / (0.75 * half)) ** 2 + (columns / half) ** 2 < 1] = index
    for index in range(4, CLASSES):
        angle, distance = rng.uniform(0, 2 * np.pi), 0.28 * np.sqrt(rng.uniform())
        middle = 0.7 * distance * np.sin(angle), distance * np.cos(angle)
        size = rng.uniform(0.02, 0.07) * (1 + 0.3 * np.sin(0.3 * number + index))
        inside = (rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 < size**2
        result[inside & (result > 2)] = index
    return result


def onehot_slices(numbers: range) -> torch.Tensor:
    """``[n, 31, 256, 256]`` float32, channels last."""
    labels = torch.from_numpy(np.stack([torso_slice(number) for number in numbers])).long()[:, None]
    onehot = torch.zeros(len(labels), CLASSES, SIZE, SIZE).scatter_(1, labels, 1.0)
    return onehot.contiguous(memory_format=torch.channels_last)


def write_case(folder: Path, slices: int) -> dict[str, str]:
    """A made CT and its labels of 256x256 pixels of 1.5 mm and slices of 3 mm; the paths as a request has them."""
    from MedUSISLib.imaging.geometry import Geometry
    from MedUSISLib.imaging.volume import Volume
    from MedUSISLib.imaging.writing import write_volume

    geometry = Geometry((SIZE, SIZE, slices), (1.5, 1.5, 3.0))
    labels = np.stack([torso_slice(number) for number in range(slices)])
    values = np.concatenate(([-1000], np.random.default_rng(1).uniform(-150, 300, CLASSES - 1)))
    hu = values[labels] + np.random.default_rng(2).normal(0, 10, labels.shape)
    write_volume(Volume(hu.astype(np.int16), geometry), folder / "ct.nii.gz")
    write_volume(Volume(labels, geometry), folder / "labels.nii.gz")
    return {"ct": str(folder / "ct.nii.gz"), "segmentation": str(folder / "labels.nii.gz"), "labels": "torso"}


def write_generator(folder: Path) -> str:
    """The generator as a bundle for the torso schema; its folder."""
    from MedUSISLib.generators.manifest import DropoutDescription, GridDescription, Manifest, NetworkDescription
    from MedUSISLib.generators.writing import write_bundle

    manifest = Manifest(
        id="standard-torso",
        version="0.0.0",
        licence="Apache-2.0",
        modality="T1w MR",
        body_region="torso",
        schema_id="torso",
        precision="bfloat16",
        grid=GridDescription(spacing_mm=(1.5, 1.5, 3.0), size=(SIZE, SIZE)),
        network=NetworkDescription(name="wavelet_generator", arguments=ARGUMENTS),
        dropout=DropoutDescription(rate=ARGUMENTS["dropout"], blocks=ARGUMENTS["dropout_blocks"]),
        intended_use="benchmarks",
    )
    network = brightened(standard_network())
    return str(write_bundle(folder / "standard-torso", manifest, network.state_dict(), "# standard\n").directory)
