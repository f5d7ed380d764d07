"""A made head, its label map and a tiny training on it, for the tests of training."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from MedUSISLib.progress import Progress
from MedUSISLib.training.configuration import GeneratorTraining, configuration_from

#: Intensity of each class of the head schema in the made T1, white matter = 0.7.
BRIGHTNESS = np.array([0, 0.6, 0.95, 0.45, 0.15, 0.45, 0.03, 0.2, 0.5, 0.7, 0.6, 0.55, 0.65, 0.2, 0.5, 0.6])


#: Shared by all trainings of a test session: the same heads are prepared (bias field, scaling) once.
_CACHE = tempfile.TemporaryDirectory(prefix="medusis-test-cache-")


def head_labels(seed: int, shape: tuple[int, int, int] = (56, 60, 10)) -> np.ndarray:
    """Nested ellipses from skin to white matter, indexed [i, j, k] as NIfTI has it."""
    rng = np.random.default_rng(seed)
    x, y, _ = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius = np.sqrt((x / rng.uniform(0.85, 0.95)) ** 2 + (y / rng.uniform(0.85, 0.95)) ** 2)
    labels = np.zeros(shape, np.uint8)
    for limit, index in ((1.0, 1), (0.95, 2), (0.88, 4), (0.8, 7), (0.75, 8), (0.6, 9), (0.2, 10)):
        labels[radius < limit] = index
    return labels


def write_head(folder: Path, name: str, seed: int, shape: tuple[int, int, int] = (56, 60, 10)) -> tuple[Path, Path]:
    """A T1 and its label map as NIfTI files, 1 mm."""
    labels = head_labels(seed, shape)
    rng = np.random.default_rng(seed + 100)
    t1 = (BRIGHTNESS[labels] * (1 + 0.05 * rng.standard_normal(labels.shape)) * 800).astype(np.float32)
    image, label_map = folder / f"{name}_t1.nii.gz", folder / f"{name}_labels.nii.gz"
    nibabel.save(nibabel.Nifti1Image(t1, np.eye(4)), image)
    nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), label_map)
    return image, label_map


def tiny_training(folder: Path, name: str = "run", **changes: Any) -> GeneratorTraining:
    """Two people to train on, one held out, three phases of a few iterations in full precision."""
    folder.mkdir(parents=True, exist_ok=True)
    heads = {person: write_head(folder, person, seed) for seed, person in enumerate("abc")}
    splits = {"a": "train", "b": "train", "c": "validation"}
    content: dict[str, Any] = {
        "name": "tiny",
        "out": name,
        "cache": _CACHE.name,
        "seed": 3,
        "device": "cpu",
        "precision": "32-true",
        "batch_size": 2,
        "prepare_workers": 1,
        "network": {"widths": [16, 16, 8], "spade_hidden": 8, "noise_channels": 4, "dropout": 0.2, "dropout_blocks": 1},
        "discriminator": {"widths": [8, 8, 8]},
        "discriminator_crop": 32,
        "segmentator": {"widths": [8, 8]},
        "data": {
            "pairing": "paired",
            "crop": [64, 64],
            "images": [
                {
                    "image": str(image),
                    "labels": str(labels),
                    "person": p,
                    "split": splits[p],
                }
                for p, (image, labels) in heads.items()
            ],
            "label_maps": [{"labels": str(heads["a"][1]), "mapping": "head", "person": "a"}],
        },
        "phases": [
            {"name": "l1", "iterations": 3, "l1": 1, "ssim": 0.1},
            {
                "name": "adversarial",
                "iterations": 3,
                "l1": 5,
                "adversarial": 1,
                "segmentation": 1,
                "mask": 1,
                "unpaired_share": 0.5,
                "r1_every": 2,
            },
        ],
        "validate_every": 3,
        "checkpoint_every": 3,
    }
    content.update(changes)
    configuration = configuration_from(content, folder)
    assert isinstance(configuration, GeneratorTraining)
    return configuration


class Recorder(Progress):
    """Remembers metrics, and cancels after so many calls of ``checkpoint``."""

    def __init__(self, cancel_after: int | None = None) -> None:
        self.metrics: dict[str, list[float]] = {}
        self.stages: list[str] = []
        self.warnings: list[tuple[str, str]] = []
        self.left = cancel_after

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def warning(self, code: str, message: str) -> None:
        self.warnings.append((code, message))

    def metric(self, name: str, value: float, **details: object) -> None:
        self.metrics.setdefault(name, []).append(value)

    def checkpoint(self) -> None:
        from MedUSISLib.errors import ErrorCode, MedUSISError

        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise MedUSISError(ErrorCode.CANCELLED, "cancelled by the test")
