"""A small picture of a result, cut out of its report: nothing is read or drawn again."""

from __future__ import annotations

import base64
import binascii
import io
import re
from functools import lru_cache
from pathlib import Path

_PICTURE = re.compile(r'<img alt="([^"]*)" src="data:image/png;base64,([A-Za-z0-9+/=]+)"')
_SERIES = "CT above synthetic MR"
_WIDTH = 340
_TALLEST = 170
_QUALITY = 80
# Of eight slices from the bottom to the top, the middle ones.
_FIRST, _LAST = 0.25, 0.75
# The notice below them is on the page anyway, and not readable when small.
_BOTTOM_INCH, _DPI = 0.3, 140


def report_thumbnail(report: Path) -> bytes | None:
    """A JPEG of a few axial slices, CT above synthetic MR; of three planes where a report has no such slices.

    None when the report is not there or has no picture. Kept in memory while the report stays the same: the summary of
    a batch that goes on is written again and again.
    """
    try:
        status = report.stat()
    except OSError:
        return None
    return _thumbnail(report, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=512)
def _thumbnail(report: Path, _changed_ns: int, _size: int) -> bytes | None:
    from PIL import Image

    try:
        pictures = dict(_PICTURE.findall(report.read_text(encoding="utf-8")))
        series = next((data for name, data in pictures.items() if name.startswith(_SERIES)), None)
        data = series or next(iter(pictures.values()), None)
        if data is None:
            return None
        with Image.open(io.BytesIO(base64.b64decode(data))) as opened:
            image = opened.convert("RGB")
    except (OSError, ValueError, binascii.Error):
        return None
    if series is not None:
        below = image.height - round(_BOTTOM_INCH * _DPI)
        image = image.crop((round(_FIRST * image.width), 0, round(_LAST * image.width), max(below, 1)))
    image.thumbnail((_WIDTH, _TALLEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
