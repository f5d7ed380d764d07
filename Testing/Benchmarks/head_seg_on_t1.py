"""How well `head-seg` labels a real T1 that it has never seen, against FreeSurfer's labels of the same T1.

    python Testing/Benchmarks/head_seg_on_t1.py T1.nii.gz ASEG.nii.gz

The reference is another program's answer, not a truth, and knows no skull, skin or outer fluid.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from MedUSISLib.anatomy.mapping import load_mapping
from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.evaluation.dice import dice
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.segmentation.segment import segment_volume

BRAIN = ("cortex", "white_matter", "deep_grey", "cerebellum", "brainstem")


def main(t1: Path, reference: Path) -> None:
    """Print one Markdown row per class."""
    schema = load_schema("head")
    truth = load_mapping("synthseg", schema).apply(read_label_map(reference).array_kji)
    labels = segment_volume(read_volume(t1, role="the MR"), "mr").array_kji
    print("| class | Dice |\n|---|---|")
    for name in BRAIN:
        print(f"| {name} | {dice(labels == schema.index_of(name), truth == schema.index_of(name)):.2f} |")
    brain = [schema.index_of(name) for name in BRAIN]
    print(f"| whole brain | {dice(np.isin(labels, brain), np.isin(truth, brain)):.2f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
