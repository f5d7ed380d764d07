"""The sample grid of a training for a narrow panel: the right half goes below the left one."""

from __future__ import annotations

from pathlib import Path

_WIDE = 1.8
_BAR = 26
_TEXT = "more slices: labels, SYNTHETIC, real"


def folded(path: Path, target: Path) -> Path:
    """The picture, its halves below one another when it is wide; as it is otherwise.

    Parameters
    ----------
    path : Path
        A PNG of ``training.sample_grid``: columns of slices of equal width.
    target : Path
        Where a folded picture is written, whole or not at all.

    Raises
    ------
    OSError
        When it cannot be read (yet): it may be being written.
    """
    from PIL import Image, ImageDraw, ImageFont

    with Image.open(path) as opened:
        whole = opened.convert("RGB")
    if whole.width < _WIDE * whole.height:
        return path
    half = -(-whole.width // 2)
    picture = Image.new("RGB", (half, 2 * whole.height + _BAR))
    picture.paste(whole.crop((0, 0, half, whole.height)), (0, 0))
    picture.paste(whole.crop((half, 0, whole.width, whole.height)), (0, whole.height + _BAR))
    font = ImageFont.load_default(16)
    ImageDraw.Draw(picture).text((6, whole.height + 4), _TEXT, fill=(255, 255, 0), font=font)
    temporary = target.with_suffix(".tmp")
    picture.save(temporary, "PNG", compress_level=1)
    temporary.replace(target)
    return target
