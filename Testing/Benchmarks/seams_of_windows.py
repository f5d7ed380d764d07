"""Seam index of a generator of volumes on the bundled head, for several ways to put the windows together.

    python Testing/Benchmarks/seams_of_windows.py head-t1w-3d --window 64

Small windows have many borders. "side by side" and "unweighted" are the mistakes that the index is there to find.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from MedUSISLib.evaluation.seam_index import seam_index
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.imaging.conform import conform
from MedUSISLib.imaging.crop import bounding_box
from MedUSISLib.imaging.grid import GridSpec, plan_grid
from MedUSISLib.imaging.reading import read_label_map
from MedUSISLib.resources import resource_path
from MedUSISLib.synthesis.passes import PassSampler, PassSettings
from MedUSISLib.synthesis.windows import gaussian_weights, total_weights, window_layout

WAYS = {
    "Gaussian weights, half shared": (0.5, True),
    "Gaussian weights, a quarter shared": (0.25, True),
    "unweighted, a quarter shared": (0.25, False),
    "side by side": (0.0, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", help="id or folder of a generator of volumes")
    parser.add_argument("--window", type=int, default=64, help="side of a window")
    options = parser.parse_args()
    bundle = load_bundle(options.generator, kind="generator")
    segmentation = read_label_map(resource_path("SampleData", "head_seg.nii.gz"))
    spec = GridSpec(spacing_mm=bundle.manifest.grid.spacing_mm, size_ij=None, isotropic=True)
    labels = conform(segmentation, plan_grid(segmentation.geometry, spec), "nearest").array_kji
    found = bounding_box(labels > 0)
    assert found is not None
    labels = labels[found]
    sampler = PassSampler(bundle.load_network(), bundle.manifest, PassSettings(passes=1), "cpu")
    window = (options.window,) * 3
    for name, (overlap, weighted) in WAYS.items():
        # Side by side, the last window hangs out of the volume; else all of them are inside, evenly spread.
        shape = [-(-n // options.window) * options.window if not overlap else n for n in labels.shape]
        layout = window_layout(shape, window, overlap)
        padded = np.zeros(layout.shape, labels.dtype)
        padded[tuple(slice(0, n) for n in labels.shape)] = labels
        weights = gaussian_weights(window) if weighted else np.ones(window, np.float32)
        volume, began = np.zeros(layout.shape, np.float32), time.process_time()
        for number in range(len(layout.corners)):
            place = layout.slices(number)
            if padded[place].any():
                volume[place] += weights * (sampler.maps(padded[place][None], [number]).mean[0] + 1)
        volume /= total_weights(layout, weights)
        seconds = time.process_time() - began
        index = seam_index(volume, layout.borders(layout.shape), padded)
        print(f"{name}: seam index {index:.2f}, {len(layout.corners)} windows, {seconds:.0f} s of CPU", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
