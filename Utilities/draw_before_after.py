"""What a fine-tuning changed, as one picture: labels, the parent's slices, the new generator's slices, the real ones.

    python Utilities/draw_before_after.py my-head-t1w --out before_after.png

reads ``samples/NNNNNN.png`` of a training's folder: the picture of iteration 0 and that of the state that was exported
(or of ``--iteration``). It shows people whom the training held out: where they are patients, so is the picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from MedUSISLib.training.log import read_log

_STRIPS = 3
"""Labels, synthetic and real slices below one another in every sample picture."""


def before_after(folder: Path, iteration: int | None = None) -> Image.Image:
    """The four strips, each with its title.

    Parameters
    ----------
    folder : Path
        ``out`` of a fine-tuning.
    iteration : int, optional
        Of the later picture; by default the one that was exported, else the last.
    """
    pictures = {int(file.stem): file for file in (folder / "samples").glob("*.png")}
    if 0 not in pictures:
        raise SystemExit("there is no picture of iteration 0: only a fine-tuning has one")
    later = iteration if iteration is not None else (read_log(folder / "log.jsonl").chosen or max(pictures))
    if later not in pictures:
        raise SystemExit(f"there is no picture of iteration {later}; there are {sorted(pictures)}")
    before, after = (Image.open(pictures[number]).convert("RGB") for number in (0, later))
    height = before.height // _STRIPS
    sources = [("labels", before, 0), ("before", before, 1), (f"after {later}", after, 1), ("real", before, 2)]
    picture = Image.new("RGB", (before.width, height * len(sources)))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 16)
    for row, (title, source, strip) in enumerate(sources):
        cut = source.crop((0, strip * height, source.width, (strip + 1) * height))
        picture.paste(cut, (0, row * height))
        words = title if title in ("labels", "real") else f"SYNTHETIC, {title}"
        # Over the strip's own title, in its upper left corner, where there is no anatomy.
        draw.rectangle((0, row * height, 12 + draw.textlength(words, font), row * height + 24), fill="black")
        draw.text((6, row * height + 2), words, fill="yellow", font=font)
    return picture


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="`out` of a fine-tuning")
    parser.add_argument("--out", type=Path, required=True, help="PNG")
    parser.add_argument("--iteration", type=int, help="of the later picture")
    arguments = parser.parse_args()
    picture = before_after(arguments.folder, arguments.iteration)
    picture.quantize(128, dither=Image.Dither.NONE).save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
