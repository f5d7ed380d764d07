"""What the measures of a validation see and cost: real T1, degraded ones and those drawn by a generator.

    export MEDUSIS_DATA=/folder/with/the/public/data
    OMP_NUM_THREADS=1 .venv/bin/python Testing/Benchmarks/validation_measures.py Resources/Training/head-t1w.yaml

The held-out people of a training's configuration and six of its training people are prepared (or taken from its cache).
Printed are Frechet distances of the texture features and, beside them, of the pooled features of head-seg's encoder
(16 principal components), the other figures, and the processor seconds that one validation takes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional as F

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.evaluation.frechet import frechet_distance
from MedUSISLib.evaluation.texture_features import PATCH, texture_features
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.progress import Progress
from MedUSISLib.segmentation.encoding import encode_mr, with_depth
from MedUSISLib.training.configuration import read_configuration
from MedUSISLib.training.preparation import prepare_cases
from MedUSISLib.training.validation import Judge, synthesize_slices
from MedUSISLib.training.validation_slices import ValidationSlices, validation_slices

Features = Callable[[np.ndarray, np.ndarray], np.ndarray]


def encoder_features(level: int) -> Features:
    """Of head-seg, averaged over the same patches."""
    body_of_unet = load_bundle("head-seg").load_network().body

    def features(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
        found = []
        with torch.inference_mode():
            for image, mask in zip(images, masks, strict=True):
                encoded = encode_mr(torch.from_numpy(image.astype(np.float32))[None] * (0.68 / 0.7))
                x = body_of_unet.conv_0(F.pixel_unshuffle(with_depth(encoded, torch.tensor([float("nan")])), 2))
                for stage in (body_of_unet.down_1, body_of_unet.down_2, body_of_unet.down_3, body_of_unet.down_4)[
                    :level
                ]:
                    x = stage(x)
                side = PATCH >> (level + 1)
                pooled = F.avg_pool2d(x, side)[0] if side > 1 else x[0]
                inside = F.avg_pool2d(torch.from_numpy(mask)[None].float(), PATCH)[0] >= 0.5
                found.append(pooled[:, inside].T.numpy())
        return np.concatenate(found)

    return features


def degraded(slices: ValidationSlices) -> Iterator[tuple[str, np.ndarray]]:
    images, body, labels = slices.images, slices.body, slices.labels
    rng = np.random.default_rng(0)
    board = np.where(np.indices(images.shape[1:]).sum(0) % 2, 0.03, -0.03)
    yield "blur 0.5", ndimage.gaussian_filter(images, (0, 0.5, 0.5))
    yield "blur 1", ndimage.gaussian_filter(images, (0, 1, 1))
    yield "noise .03", images + 0.03 * rng.standard_normal(images.shape) * body
    yield "checkerboard .03", images + board * body
    yield "10 % darker", images * 0.9
    swapped = images.copy()
    swapped[labels == 9] -= 0.25
    swapped[labels == 8] += 0.2
    yield "grey and white swapped", swapped
    means = np.array([images[labels == one].mean() if (labels == one).any() else 0 for one in range(16)])
    yield "class means", means[labels]


def distances(name: str, features: Features, held_out: ValidationSlices, others: ValidationSlices, drawn: np.ndarray):
    def of(images: np.ndarray, slices: ValidationSlices, person: int) -> np.ndarray:
        own = slices.people == person
        return features(images[own].astype(np.float32), slices.body[own])

    people, strangers = np.unique(held_out.people), np.unique(others.people)
    everything = np.concatenate([of(held_out.images, held_out, one) for one in people])
    mean, scale = everything.mean(0), np.maximum(everything.std(0), 1e-3)
    axes = np.eye(len(mean))
    if len(mean) > 16:
        axes = np.linalg.svd(np.cov(((everything - mean) / scale).T))[0][:, :16]

    def known(x: np.ndarray) -> np.ndarray:
        return (x - mean) / scale @ axes

    real = {one: known(of(held_out.images, held_out, one)) for one in people}
    foreign = {one: known(of(others.images, others, one)) for one in strangers}
    halves = [frechet_distance(x[::2], x[1::2]) for x in (*real.values(), *foreign.values())]
    between = [frechet_distance(a, b) for a in real.values() for b in foreign.values()]
    row = [f"{np.median(halves):.2f} ({max(halves):.2f})", f"{np.median(between):.2f} ({min(between):.2f})"]
    for _, images in (("drawn", drawn), *degraded(held_out)):
        row.append(f"{np.mean([frechet_distance(known(of(images, held_out, one)), real[one]) for one in people]):.2f}")
    print(f"| {name} | " + " | ".join(row) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configuration", type=Path)
    parser.add_argument("--generator", default="head-t1w")
    parser.add_argument("--cache", type=Path, help="in place of the configuration's")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    configuration = read_configuration(arguments.configuration)
    data, schema = configuration.data, load_schema("head")
    chosen = [one for one in data.images if one.split == "validation"]
    chosen += [one for one in data.images if one.split == "train" and one.weight == 1][:6]
    cases = prepare_cases(chosen, schema, arguments.cache or configuration.cache, Progress(), data.grid_spec, 1)
    sides = {
        side: [case for one, case in zip(chosen, cases, strict=True) if one.split == side]
        for side in ("train", "validation")
    }
    held_out, others = (validation_slices(sides[side], (256, 192)) for side in ("validation", "train"))
    bundle = load_bundle(arguments.generator)
    network, channels = bundle.load_network(), bundle.manifest.noise.channels
    begun = time.process_time()
    drawn = synthesize_slices(network, held_out.labels, channels, schema.number_of_classes)
    drawing = time.process_time() - begun
    begun = time.process_time()
    judge = Judge(held_out, schema, torch.device("cpu"), others, draw=lambda _: drawn)
    preparing = time.process_time() - begun
    begun = time.process_time()
    result, _ = judge(network, channels)
    measuring = time.process_time() - begun
    print(f"{len(held_out.labels)} slices, {result.samples}: drawing {drawing:.1f} s, measuring {measuring:.1f} s,"
          f" once at the start {preparing:.1f} s")  # fmt: skip
    print({name: round(value, 3) for name, value in (result.figures() | result.yardsticks()).items()}, result.swapped)
    print({row.name: (round(row.dice or 0, 2), round(result.dice_real[row.name], 2)) for row in result.dice})
    heads = ["halves of a person", "two people", "drawn", *(name for name, _ in degraded(held_out))]
    print("| features | " + " | ".join(heads) + " |\n" + "|---" * (len(heads) + 1) + "|")
    distances("texture (10)", texture_features, held_out, others, drawn)
    for level in (1, 2, 4):
        distances(f"head-seg, level {level}", encoder_features(level), held_out, others, drawn)


if __name__ == "__main__":
    main()
