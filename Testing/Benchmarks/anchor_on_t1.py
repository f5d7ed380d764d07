"""Whether the anchor tells swapped classes: its loss on a real T1, and on the same T1 with two classes swapped.

    python Testing/Benchmarks/anchor_on_t1.py T1.nii.gz CACHE_FOLDER

Swapped means that each voxel of one class is moved by the difference of the class means, and those of the other back.
The labels are head-seg's own (with N4, smoothing and intensity rules), as those of pseudo-pairs are.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.progress import Progress
from MedUSISLib.training.anchoring import EncodedForHeadSeg
from MedUSISLib.training.case_preparation import prepared_case
from MedUSISLib.training.data_configuration import ImageSource
from MedUSISLib.training.losses.anchor import Anchor
from MedUSISLib.training.losses.segmentation import class_weights
from MedUSISLib.training.measurements import framed
from MedUSISLib.training.t1_scaling import CLIP

SWAPPED = (
    ("cortex", "white_matter"),
    ("csf", "white_matter"),
    ("fat", "cortical_bone"),
    ("skin", "cortical_bone"),
    ("soft_tissue", "csf"),
)


def main(t1: Path, cache: Path) -> None:
    """Print one Markdown row per pair."""
    head = load_schema("head")
    case = prepared_case(ImageSource(image=t1, person="a"), head, cache, Progress())
    assert case.image_kji is not None
    slices = case.labels_kji.shape[0]
    chosen = np.linspace(max(0, slices - int(120 / case.thickness_mm)), slices - 12, 12).round().astype(int)
    size = (256, 192)
    labels = torch.from_numpy(framed(np.asarray(case.labels_kji)[chosen], size)).long()
    image = torch.from_numpy(framed(np.asarray(case.image_kji)[chosen], size).astype(np.float32))
    network = load_bundle("head-seg", kind="segmentator").load_network()
    answers = tuple("" if name == "fat" else name for name in head.names[:15])
    anchor = Anchor(network, EncodedForHeadSeg(), answers, head, head)
    weights = class_weights(labels, head.number_of_classes + 1)

    def loss(picture: torch.Tensor) -> float:
        with torch.inference_mode():
            return float(anchor(picture[:, None].clamp(0, CLIP) * (2 / CLIP) - 1, labels, weights))

    means = torch.stack([image[labels == n].mean() if (labels == n).any() else image.sum() * 0 for n in range(16)])
    print("| image | loss |\n|---|---|")
    print(f"| as it is | {loss(image):.2f} |")
    print(f"| each class at its mean | {loss(means[labels]):.2f} |")
    for one, other in SWAPPED:
        a, b = head.index_of(one), head.index_of(other)
        moved, flat = image.clone(), means.clone()
        moved[labels == a] += means[b] - means[a]
        moved[labels == b] += means[a] - means[b]
        flat[[a, b]] = flat[[b, a]]
        print(f"| {one} and {other} swapped | {loss(moved):.2f}; each at its mean {loss(flat[labels]):.2f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
