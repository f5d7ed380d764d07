"""Whole volumes drawn by a 3D generator while it is being trained: by the same windows as a finished one."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import nn

from MedUSISLib.generators.manifest import (
    DropoutDescription,
    GridDescription,
    IntensityDescription,
    Manifest,
    NetworkDescription,
    NoiseDescription,
)
from MedUSISLib.networks.dropout import has_dropout
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.batches import BatchRunner
from MedUSISLib.synthesis.grid_maps import GridMaps
from MedUSISLib.synthesis.modes import VolumeWindows
from MedUSISLib.synthesis.passes import PassSampler, PassSettings
from MedUSISLib.training.t1_scaling import CLIP


def synthesize_volume(
    network: nn.Module,
    labels_kji: np.ndarray,
    window_kji: tuple[int, int, int],
    noise_channels: int,
    classes: int,
    *,
    passes: int = 1,
    seed: int = 0,
    precision: Literal["float32", "bfloat16"] = "float32",
    progress: Progress | None = None,
) -> GridMaps:
    """Mean and variance over the passes, as ``medusis synthesize --mode window`` would make them.

    Parameters
    ----------
    network : nn.Module
        Of three dimensions; on any device. It is in eval mode afterwards.
    labels_kji : ndarray of uint8
        Class indices on the generator's grid.
    window_kji : (int, int, int)
        Shape of a window.
    noise_channels, classes : int
    passes : int
        With one, dropout is off.
    seed : int
        One noise vector for the whole volume follows from it.
    precision : {"float32", "bfloat16"}
    progress : Progress, optional
        May cancel.

    Returns
    -------
    GridMaps
        In [0, 1.2], on the grid of the labels.
    """
    device = next(network.parameters()).device
    dropout = 0.5 if has_dropout(network) else 0.0  # only whether there is any matters to the passes
    manifest = Manifest(
        id="in-training",
        version="0.0.0",
        licence="none",
        modality="MR",
        body_region="any",
        schema_id="any",
        spatial_dims=3,
        grid=GridDescription(size=(window_kji[2], window_kji[1], window_kji[0])),
        intensity=IntensityDescription(minimum=0.0, maximum=CLIP),
        network=NetworkDescription(name="generator", arguments={"number_of_classes": classes}),
        precision=precision,
        noise=NoiseDescription(channels=noise_channels),
        dropout=DropoutDescription(rate=dropout),
    )
    sampler = PassSampler(network, manifest, PassSettings(passes=passes, seed=seed), device)
    maps = GridMaps.empty(labels_kji.shape, manifest.intensity, with_spread=False)
    listener = progress or Progress()

    def runner(_voxels: int) -> BatchRunner:
        return BatchRunner(1, torch.device(device), listener)

    VolumeWindows(window_kji)(labels_kji, sampler, runner, maps, Progress(), lambda *_: None)
    return maps
