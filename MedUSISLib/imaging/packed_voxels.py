"""Whether packed voxels of MetaImage and NRRD files are whole: ITK reads damaged ones as noise, without a word."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError

_PIECE = 1 << 20
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS


@dataclass(frozen=True)
class PackedVoxels:
    """Where packed voxels lie, and how many bytes they have when they are unpacked.

    Attributes
    ----------
    path : Path
    start : int
        First packed byte.
    count : int or None
        Packed bytes; None for all to the end of the file.
    size : int
        Bytes of the voxels.
    """

    path: Path
    start: int
    count: int | None
    size: int

    def require_whole(self, role: str) -> None:
        """Unpack them, keeping nothing; a checksum at the end tells damage.

        Raises
        ------
        MedUSISError
            ``INPUT_NOT_READABLE`` when they are damaged or incomplete.
        """
        try:
            whole = self._unpacked_bytes() >= self.size
        except zlib.error:
            whole = False
        if not whole:
            raise MedUSISError(
                ErrorCode.INPUT_NOT_READABLE,
                f"{role} cannot be read: its packed voxels are damaged or incomplete",
                "copy it again, or convert it again from the original",
                self.path,
            )

    def _unpacked_bytes(self) -> int:
        """Bytes of all complete streams, one after the other as gzip allows; -1 when the last one has no end."""
        total, left = 0, self.count
        stream = zlib.decompressobj(_ZLIB_OR_GZIP)
        with self.path.open("rb") as file:
            file.seek(self.start)
            while piece := file.read(_PIECE if left is None else min(_PIECE, left)):
                left = None if left is None else left - len(piece)
                while piece:
                    total += len(stream.decompress(piece, _PIECE))
                    piece = stream.unconsumed_tail
                    if stream.eof:
                        if total >= self.size:
                            return total  # what follows is nobody's
                        piece, stream = stream.unused_data, zlib.decompressobj(_ZLIB_OR_GZIP)
                if left == 0:
                    break
        return -1
