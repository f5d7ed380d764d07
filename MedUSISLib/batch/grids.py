"""The grids of what lies in a tree, from headers alone and each read once; and copies told from look-alikes."""

from __future__ import annotations

import filecmp
import os
from hashlib import blake2b
from pathlib import Path

from MedUSISLib.dataset.grid_partners import is_distinct
from MedUSISLib.dataset.pairing import overlap
from MedUSISLib.errors import MedUSISError
from MedUSISLib.imaging.dicom_files import is_dicom_file
from MedUSISLib.imaging.dicom_series import series_geometry
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_geometry
from MedUSISLib.imaging.voxel_match import same_voxels

_PIECES = 16
_PIECE_BYTES = 1 << 16
# Less common space than this, and two images show different things.
_SAME_PLACE = 0.2


class Grids:
    """Grids by the files that they are read from."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, ...], Geometry | None] = {}

    def of(self, files: tuple[Path, ...]) -> Geometry | None:
        """Grid of a file, or of the slices of a DICOM series; None when it cannot be read."""
        if files not in self._known:
            self._known[files] = _grid(files)
        return self._known[files]

    def same(self, a: tuple[Path, ...], b: tuple[Path, ...]) -> bool:
        """True when both are known and hold the same voxels, in whatever order of axes."""
        first, second = self.of(a), self.of(b)
        return first is not None and second is not None and same_voxels(first, second)

    def proven(self, a: tuple[Path, ...], b: tuple[Path, ...]) -> bool:
        """True when both hold the same voxels of a scanner's grid, which nobody else is likely to have."""
        grid = self.of(a)
        return grid is not None and is_distinct(grid) and self.same(a, b)

    def apart(self, a: tuple[Path, ...], b: tuple[Path, ...]) -> bool:
        """True when both are known and show different places."""
        first, second = self.of(a), self.of(b)
        return first is not None and second is not None and overlap(first, second) < _SAME_PLACE


def _grid(files: tuple[Path, ...]) -> Geometry | None:
    if not files:
        return None
    try:
        is_series = len(files) > 1 or is_dicom_file(files[0])
        return series_geometry(files) if is_series else read_geometry(files[0])
    except MedUSISError:
        return None
    except Exception:  # damaged headers make libraries fail in any way; who reads the case will say how
        return None


def is_copy(a: Path, b: Path) -> bool:
    """Whether two files hold the same bytes; pieces of them are compared first, and False where one cannot be read.

    Label maps that are not packed differ in a few slices, which lie between the pieces. Of a gzip file the last piece
    holds the checksum of everything.
    """
    size = size_of(a)
    if not size or size != size_of(b) or sample_of(a) != sample_of(b):
        return False
    try:
        return a.suffix.lower() == b.suffix.lower() == ".gz" or filecmp.cmp(a, b, shallow=False)
    except OSError:
        return False


def sample_of(path: Path) -> str:
    """A hash of pieces all over a file, its end among them: equal for copies, and nearly always different for others.

    Of a file that cannot be read it is the file's own.
    """
    digest = blake2b(digest_size=16)
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            digest.update(str(size).encode())
            for piece in range(_PIECES):
                stream.seek(max(0, size - _PIECE_BYTES) * piece // (_PIECES - 1))
                digest.update(stream.read(_PIECE_BYTES))
                if size <= _PIECE_BYTES:
                    break
    except OSError:
        return f"unreadable {path}"
    return digest.hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a file; 0 of a folder, and of what is not there any more."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
