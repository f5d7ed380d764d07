"""A tiny, randomly initialised generator bundle and made head CTs for the tests of generators and synthesis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.generators.manifest import (
    DropoutDescription,
    GridDescription,
    IntensityDescription,
    Manifest,
    NetworkDescription,
    NoiseDescription,
)
from MedUSISLib.generators.writing import write_bundle
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.networks.factory import build_network
from MedUSISLib.networks.spectral_norm import fold_spectral_norm

CLASSES = 16


def tiny_manifest(
    size: tuple[int, ...] = (64, 64), dropout: float = 0.3, noise: int = 8, **changes: Any
) -> Manifest:
    """Manifest of a generator with four levels for the head schema."""
    arguments: dict[str, Any] = {
        "number_of_classes": CLASSES,
        "widths": [16, 16, 16, 16],
        "noise_channels": noise,
        "spade_hidden": 8,
        "dropout": dropout,
        "dropout_blocks": 2,
    }
    views = changes.pop("views", ("axial",))
    slice_axis = changes.pop("slice_axis", "axial")
    values: dict[str, Any] = {
        "id": "tiny",
        "version": "1.0.0",
        "licence": "Apache-2.0",
        "modality": "T1w MR",
        "body_region": "head",
        "schema_id": "head",
        "grid": GridDescription(size=size, views=views, slice_axis=slice_axis),
        "intensity": IntensityDescription(minimum=0.0, maximum=1.2, unit="white matter = 0.7"),
        "network": NetworkDescription(name="wavelet_generator", arguments=arguments),
        "noise": NoiseDescription(channels=noise),
        "dropout": DropoutDescription(rate=dropout, blocks=2),
        "intended_use": "tests",
    }
    return Manifest.model_validate(values | changes)


def tiny_bundle(directory: Path, seed: int = 0, **arguments: Any) -> Bundle:
    """Write and verify such a bundle."""
    manifest = tiny_manifest(**arguments)
    torch.manual_seed(seed)
    network = build_network(manifest.network.name, dict(manifest.network.arguments))
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(2.0)
    fold_spectral_norm(network)
    return write_bundle(directory, manifest, network.state_dict(), "# tiny\n")


def head_phantom(geometry: Geometry, radius_mm: float = 24.0) -> tuple[Volume, Volume]:
    """A ball-shaped head around the grid's centre: CT in HU and labels of the head schema.

    From outside: skin 3 mm, soft tissue 3 mm, cortical bone 3 mm, csf 2 mm, cortex 4 mm, white matter.
    """
    k, j, i = np.indices(geometry.shape_kji)
    points = geometry.index_to_lps(np.stack([i.ravel(), j.ravel(), k.ravel()], axis=1))
    distance = np.linalg.norm(points - geometry.centre_lps, axis=1).reshape(geometry.shape_kji)
    hu = np.full(geometry.shape_kji, -1000, np.int16)
    labels = np.zeros(geometry.shape_kji, np.uint8)
    shells = ((0, 1, 40), (3, 3, 50), (6, 4, 900), (9, 7, 5), (11, 8, 37), (15, 9, 30))
    for depth, label, value in shells:
        inside = distance <= radius_mm - depth
        hu[inside], labels[inside] = value, label
    return Volume(hu, geometry), Volume(labels, geometry)
