"""Device, precision and threads of a training, as its configuration asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from MedUSISLib.generators.devices import choose_device
from MedUSISLib.training.configuration import GeneratorTraining, SegmentatorTraining

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def make_fabric(configuration: GeneratorTraining | SegmentatorTraining) -> Fabric:
    """Lightning Fabric on one device; sets torch's threads and seeds torch's own random numbers.

    Raises
    ------
    MedUSISError
        ``DEVICE_NOT_AVAILABLE`` when a device that was asked for by name is not there.
    """
    from lightning_fabric import Fabric

    device = choose_device(configuration.device)
    if configuration.threads:
        torch.set_num_threads(configuration.threads)
    torch.manual_seed(configuration.seed)
    return Fabric(
        accelerator=device.type,
        devices=[device.index or 0] if device.type == "cuda" else 1,
        precision=configuration.precision,
    )
