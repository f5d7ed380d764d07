"""How soon the wavelet discriminator tells blurred slices from real ones, with and without a gain on its detail bands.

    MEDUSIS_DATA=... python Testing/Benchmarks/discriminator_detail_gain.py

Prints the mean loss of steps 50 to 60 (chance is 1.386); five training T1 of head-t1w, 16 patches of 128x128 a step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.networks.wavelet_discriminator import WaveletDiscriminator
from MedUSISLib.progress import Progress
from MedUSISLib.resources import resource_path
from MedUSISLib.training.case_preparation import prepared_case
from MedUSISLib.training.configuration import GeneratorTraining, read_configuration
from MedUSISLib.training.generator_step import PatchSampler
from MedUSISLib.training.losses.adversarial import discriminator_loss
from MedUSISLib.training.slices import SliceSource

STEPS = 60


def blurred(images: torch.Tensor) -> torch.Tensor:
    """3x3 mean."""
    return F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)


def final_loss(source: SliceSource, gain: float) -> float:
    """Mean loss of the last ten steps."""
    torch.manual_seed(0)
    network = WaveletDiscriminator(image_size=128, widths=(32, 64, 128, 128, 128), detail_gain=gain)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3, betas=(0.0, 0.99))
    rng = torch.Generator().manual_seed(3)
    patches = PatchSampler(128, rng)
    losses = []
    for _ in range(STEPS):
        real, other = (torch.stack([source.draw(rng).image for _ in range(8)]) for _ in range(2))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = discriminator_loss(network(patches(real)), network(patches(blurred(other))))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return sum(losses[-10:]) / 10


def main() -> None:
    """Print one Markdown row per gain."""
    configuration = read_configuration(resource_path("Training", "head-t1w.yaml"))
    assert isinstance(configuration, GeneratorTraining)
    schema = load_schema("head")
    images = configuration.data.images[:5]
    cases = [prepared_case(image, schema, configuration.cache, Progress()) for image in images]
    source = SliceSource(cases, (256, 192), {"axial": 1.0}, schema.number_of_classes)
    print("| detail gain | loss |\n|---|---|")
    for gain in (1, 8, 12, 16):
        print(f"| {gain} | {final_loss(source, gain):.2f} |", flush=True)


if __name__ == "__main__":
    main()
