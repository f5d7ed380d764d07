"""Draw the picture that Slicer's Sample Data module shows for the bundled head.

    python Utilities/draw_sample_thumbnail.py

writes ``MedUSIS/Resources/Icons/MedUSISHeadCT.png`` (260 x 280): an axial slice of the CT, its labels over one half.
Needs numpy, SimpleITK and Pillow.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY / "Resources" / "SampleData"
THUMBNAIL = REPOSITORY / "MedUSIS" / "Resources" / "Icons" / "MedUSISHeadCT.png"
SIZE = (260, 280)
SLICE = 62
WINDOW_HU = (-160.0, 240.0)
OPACITY = 0.65


def slice_of(name: str) -> np.ndarray:
    """The axial slice as a radiologist looks at it (patient's right on the left, face up), ``(j, i)``."""
    image = sitk.DICOMOrient(sitk.ReadImage(DATA / name), "LPS")
    return sitk.GetArrayFromImage(image)[SLICE]


def picture() -> np.ndarray:
    """RGB, ``(j, i, 3)`` uint8; the CT grey, and the labels of its right-hand half coloured as the schema has it."""
    hu, labels = slice_of("head_ct.nii.gz"), slice_of("head_seg.nii.gz")
    low, high = WINDOW_HU
    grey = np.clip((hu - low) / (high - low), 0, 1) * 255
    image = np.repeat(grey[..., None], 3, axis=2)

    schema = json.loads((REPOSITORY / "Resources" / "Schemas" / "head.json").read_text(encoding="utf-8"))
    colors = np.zeros((256, 3))
    for entry in schema["classes"]:
        colors[entry["index"]] = entry["color"]
    coloured = (labels > 0) & (np.arange(labels.shape[1]) > labels.shape[1] // 2)
    image[coloured] += OPACITY * (colors[labels[coloured]] - image[coloured])
    return image.astype(np.uint8)


def main() -> None:
    """Fit the slice into the frame and write it."""
    frame = Image.new("RGB", SIZE)
    image = Image.fromarray(picture())
    scale = min(SIZE[0] / image.width, SIZE[1] / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    frame.paste(image, ((SIZE[0] - image.width) // 2, (SIZE[1] - image.height) // 2))
    frame.save(THUMBNAIL, optimize=True)


if __name__ == "__main__":
    main()
