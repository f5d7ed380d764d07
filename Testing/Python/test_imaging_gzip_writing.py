"""What is packed is what was written, for every order of pieces, and small where much of it repeats."""

from __future__ import annotations

import gzip
import io
import zlib

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MedUSISLib.imaging import gzip_writing
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.gzip_writing import GzipWriter, fitting_strategy
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume

PIECES = [b"", b"\0" * 50, b"abc" * 20, bytes(range(200)), b"\0" * 51]


def packed(pieces: list[bytes], strategy: int) -> bytes:
    raw = io.BytesIO()
    writer = GzipWriter(raw, strategy)
    for piece in pieces:
        writer.write(piece)
    writer.finish()
    return raw.getvalue()


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=12),
    strategy=st.sampled_from([zlib.Z_DEFAULT_STRATEGY, zlib.Z_RLE]),
    shortest=st.sampled_from([1, 60, 1000]),
)
def test_what_is_written_is_read(pieces: list[bytes], strategy: int, shortest: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gzip_writing, "_SHORTEST_REPEATED", shortest)
        content = packed(pieces, strategy)
        assert gzip.decompress(content) == b"".join(pieces)
        assert packed(pieces, strategy) == content


def test_forward_only() -> None:
    raw = io.BytesIO()
    writer = GzipWriter(raw)
    writer.write(b"head")
    assert (writer.seek(6), writer.tell()) == (6, 6)
    with pytest.raises(io.UnsupportedOperation):
        writer.seek(2)
    writer.write(b"voxels")
    writer.finish()
    assert gzip.decompress(raw.getvalue()) == b"head\0\0voxels"


def test_an_unfinished_file_is_damaged() -> None:
    raw = io.BytesIO()
    GzipWriter(raw).write(b"voxels" * 1000)
    with pytest.raises(EOFError):
        gzip.decompress(raw.getvalue())


def test_strings_are_looked_for_where_there_are_some() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(3, 64, 64)).astype(np.float32)
    rows_alike = np.broadcast_to(noise[:, :1], noise.shape)
    assert fitting_strategy(noise) == zlib.Z_RLE
    assert fitting_strategy(rows_alike) == zlib.Z_DEFAULT_STRATEGY
    assert fitting_strategy((1000 * noise).astype(np.int16)) == zlib.Z_DEFAULT_STRATEGY


def test_empty_slices_beside_full_ones(tmp_path) -> None:
    array = np.zeros((9, 160, 160), np.float32)  # a slice is longer than the shortest repeated piece
    array[3:5] = np.random.default_rng(1).normal(size=(2, 160, 160))
    array[5] = array[4]
    path = write_volume(Volume(array, Geometry((160, 160, 9))), tmp_path / "map.nii.gz")
    assert np.array_equal(np.asarray(nibabel.load(path).dataobj).T, array)
    assert path.stat().st_size < 3 * array[3].nbytes
