"""Draw the modules' icons: a head half as CT, half as MR, parted by a wavelet; the reader's on a screen with answers.

    python Utilities/draw_icon.py

writes ``MedUSIS.png`` and ``MedUSISReader.png`` in ``MedUSIS/Resources/Icons`` (128 x 128). Needs numpy and Pillow.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

ICONS = Path(__file__).resolve().parents[1] / "MedUSIS" / "Resources" / "Icons"
SIZE = 128
OVERSAMPLING = 8

WAVE = (255, 138, 0)
CT = {"skin": (120, 128, 138), "bone": (250, 250, 250), "brain": (92, 100, 112), "fluid": (50, 55, 64)}
MR = {"skin": (178, 184, 194), "bone": (30, 34, 42), "brain": (140, 146, 156), "fluid": (30, 34, 42)}
WHITE_MATTER = (235, 236, 240)
SCREEN = (16, 18, 20)
ANSWER = (70, 78, 88)


def wavelet(y: np.ndarray) -> np.ndarray:
    """Sideways swing of the wave at the height ``y`` in [-1, 1]: a Morlet wavelet."""
    return 0.27 * np.exp(-((y / 0.50) ** 2)) * np.sin(2 * np.pi * y / 0.62)


def picture(pixels: int) -> np.ndarray:
    """RGBA drawing, ``(pixels, pixels, 4)`` uint8."""
    y, x = np.mgrid[-1 : 1 : pixels * 1j, -1 : 1 : pixels * 1j]
    # The head seen from below: longer than wide, and narrower at the forehead.
    width = 0.83 + 0.06 * y
    radius = np.hypot(x / width, y / 0.97)
    angle = np.arctan2(y, np.abs(x))
    folds = 0.11 * (1 - np.abs(np.sin(5.5 * angle)) ** 0.8)
    ventricle = np.hypot((np.abs(x) - 0.16) / 0.09, (y + 0.02) / 0.24) < 1

    image = np.zeros((pixels, pixels, 4), np.uint8)
    mr_side = x > wavelet(y)
    layers = {"skin": radius < 1, "bone": radius < 0.90, "brain": radius < 0.75, "fluid": ventricle}
    for tissue, where in layers.items():
        for colors, side in ((CT, ~mr_side), (MR, mr_side)):
            image[where & side] = (*colors[tissue], 255)
    white = (radius < 0.68 - folds) & (np.abs(x) > 0.035) & mr_side & ~ventricle
    image[white] = (*WHITE_MATTER, 255)

    slope = np.gradient(wavelet(y[:, 0]), y[:, 0])[:, None]
    line = np.abs(x - wavelet(y)) / np.hypot(1, slope) < 0.045
    image[line & (np.abs(y) < 0.985)] = (*WAVE, 255)
    return image


def screen(pixels: int) -> np.ndarray:
    """The reader's icon: the head on a dark screen, and three answers below it, one of them chosen."""
    y, x = np.mgrid[-1 : 1 : pixels * 1j, -1 : 1 : pixels * 1j]
    image = np.zeros((pixels, pixels, 4), np.uint8)
    image[_box(x, y, 0.0, 0.0, 0.98, 0.98, 0.16)] = (*SCREEN, 255)
    small = pixels * 62 // 100
    head = picture(small)
    top, left = pixels * 5 // 100, (pixels - small) // 2
    part = image[top : top + small, left : left + small]
    part[head[..., 3] > 0] = head[head[..., 3] > 0]
    for number, place in enumerate((-0.58, 0.0, 0.58)):
        image[_box(x, y, place, 0.66, 0.23, 0.17, 0.06)] = (*(WAVE if number == 1 else ANSWER), 255)
    return image


def _box(
    x: np.ndarray, y: np.ndarray, middle_x: float, middle_y: float, width: float, height: float, corner: float
) -> np.ndarray:
    """Where a rectangle with round corners is; half widths."""
    beside = np.maximum(np.abs(x - middle_x) - (width - corner), 0)
    above = np.maximum(np.abs(y - middle_y) - (height - corner), 0)
    return np.hypot(beside, above) <= corner


def main() -> None:
    """Draw large, and let averaging smooth the edges."""
    ICONS.mkdir(parents=True, exist_ok=True)
    for name, draw in (("MedUSIS.png", picture), ("MedUSISReader.png", screen)):
        image = Image.fromarray(draw(SIZE * OVERSAMPLING), "RGBA").convert("RGBa")
        image = image.resize((SIZE, SIZE), Image.Resampling.BOX).convert("RGBA")
        image.save(ICONS / name, optimize=True)


if __name__ == "__main__":
    main()
