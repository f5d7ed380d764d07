"""Compressed DICOM of a few hundred bytes that claims gigabytes is refused before a decoder sees it."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_example import box, loop_on, write_ct, write_result, write_rtstruct
from enhanced_ct import packed, write_enhanced
from PIL import Image
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)
from test_imaging_dicom import STRAIGHT, ct_on, write_series

from MedUSISLib.imaging.code_streams import UnreasonableStream, shape_of
from MedUSISLib.imaging.packed_pixels import PackedTooClosely, require_modest_file, transfer_syntax
from MedUSISLib.imaging.reading import read_volume

PICTURE = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)


def jpeg_2000(picture: np.ndarray = PICTURE, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG2000", irreversible=False, no_jp2=options.pop("no_jp2", True), **options)
    return stream.getvalue()


def jpeg(picture: np.ndarray = PICTURE, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray((picture % 256).astype(np.uint8)).save(stream, "JPEG", **options)
    return stream.getvalue()


def jpeg_ls(picture: np.ndarray = PICTURE) -> bytes:
    """The header of one; no decoder is reached."""
    return (
        bytes.fromhex("ffd8fff7000b10")
        + struct.pack(">HH", *picture.shape)
        + bytes.fromhex("01011100ffda0008")
        + b"\1" * 40
    )


def of_size(code: bytes, rows: int, columns: int) -> bytes:
    """The same code stream, which says it were of this size."""
    changed = bytearray(code)
    if code[:2] == b"\xff\x4f":
        changed[8:16] = changed[24:32] = struct.pack(">II", columns, rows)
    else:
        at = max(code.find(b"\xff\xc0"), code.find(b"\xff\xf7"))
        changed[at + 5 : at + 9] = struct.pack(">HH", rows, columns)
    return bytes(changed)


def in_precincts_of_a_pixel(code: bytes) -> bytes:
    changed = bytearray(code)
    at = code.index(b"\xff\x52")
    (length,) = struct.unpack_from(">H", code, at + 2)
    levels = code[at + 9]
    changed[at + 4] |= 1
    changed[at + 2 : at + 4] = struct.pack(">H", length + levels + 1)
    changed[at + 2 + length : at + 2 + length] = bytes([0x11] * (levels + 1))
    return bytes(changed)


def in_tiles_of(code: bytes, size: int) -> bytes:
    changed = bytearray(code)
    changed[24:32] = struct.pack(">II", size, size)
    return bytes(changed)


# The size that a stream says


def test_the_size_of_honest_streams_is_seen() -> None:
    assert shape_of(jpeg()) == shape_of(jpeg(progressive=True)) == (48, 64, 1)
    assert shape_of(jpeg(comment=b"x" * 60_000)) == (48, 64, 1)
    assert shape_of(jpeg_2000()) == shape_of(jpeg_2000(no_jp2=False)) == (48, 64, 1)
    assert shape_of(jpeg_2000(tile_size=(16, 16), num_resolutions=2)) == (48, 64, 1)
    assert shape_of(jpeg_2000(precinct_size=(64, 64), codeblock_size=(16, 16))) == (48, 64, 1)
    assert shape_of(jpeg_ls()) == (48, 64, 1)
    codec = pytest.importorskip("jpeg_ls")
    assert shape_of(bytes(codec.encode(PICTURE))) == (48, 64, 1)


LARGE = of_size(jpeg_2000(), 4096, 4096)
COSTLY = {
    "precincts": in_precincts_of_a_pixel(LARGE),
    "tiles": in_tiles_of(LARGE, 17),
    "scans": jpeg(progressive=True)[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 100,
    "no-size": b"\xff\x4f\xff\x52" + bytes(80),
    "no-frame": b"\xff\xd8" + b"\xff\xe0\x00\x04ab" * 20,
    "boxes": struct.pack(">I4s", 8, b"free") * 3 + b"\0" * 20,
    "nothing": b"",
}


@pytest.mark.fault
@pytest.mark.parametrize("what", COSTLY)
def test_streams_that_cost_too_much_are_refused(what: str) -> None:
    with pytest.raises(UnreasonableStream):
        shape_of(COSTLY[what])


def test_a_tile_cannot_hide_its_precincts(tmp_path: Path) -> None:
    """The header of a tile-part may say how it is coded, otherwise than the main one."""
    plain = jpeg_2000()
    costly = in_precincts_of_a_pixel(plain)
    at, tile = costly.index(b"\xff\x52"), plain.index(b"\xff\x90")
    segment = costly[at : at + 2 + struct.unpack_from(">H", costly, at + 2)[0]]
    (length,) = struct.unpack_from(">I", plain, tile + 6)
    inside = (
        plain[: tile + 6] + struct.pack(">I", length + len(segment) if length else 0) + plain[tile + 10 : tile + 12]
    )
    changed = inside + segment + plain[tile + 12 :]
    assert shape_of(changed) == (48, 64, 1)  # 48 x 64 pixels are few enough
    with pytest.raises(UnreasonableStream):
        shape_of(of_size(changed, 4096, 4096))


# Whole files


def series_of(folder: Path, syntax: str, code: bytes, rows: int, columns: int) -> Path:
    def pack(k: int, ds: Any) -> None:
        packed(ds, syntax, [code])
        ds.Rows, ds.Columns, ds.PixelRepresentation = rows, columns, 0

    return write_series(folder, ct_on(STRAIGHT), change=pack)


def rle(rows: int, columns: int) -> bytes:
    segment = b"\x81\x00" * (rows * columns // 128 // 64)  # a part of what it claims
    return struct.pack("<16I", 2, 64, 64 + len(segment), *([0] * 13)) + segment * 2


BOMBS = {
    "jpeg-ls": (JPEGLSLossless, of_size(jpeg_ls(), 60_000, 60_000), 48, 64),
    "jpeg": (JPEGBaseline8Bit, of_size(jpeg(), 60_000, 60_000), 48, 64),
    "jpeg-2000": (JPEG2000Lossless, of_size(jpeg_2000(), 60_000, 60_000), 48, 64),
    "header": (JPEG2000Lossless, jpeg_2000(), 60_000, 60_000),
    "both": (JPEGBaseline8Bit, of_size(jpeg(), 60_000, 60_000), 60_000, 60_000),
    "precincts": (JPEG2000Lossless, COSTLY["precincts"], 4096, 4096),
    "rle": (RLELossless, rle(30_000, 30_000), 30_000, 30_000),
}


def deflated(ds: Any, path: Path) -> Path:
    """As a file that unpacks to 600 MB."""
    ds.save_as(path)
    content = path.read_bytes()
    syntax, start = transfer_syntax(content[:4096])
    assert syntax == DeflatedExplicitVRLittleEndian
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros, parts = bytes(1 << 20), [packer.compress(zlib.decompress(content[start:], -zlib.MAX_WBITS))]
    parts.append(packer.compress(struct.pack("<HH2s2xI", 0x7FE1, 0x1010, b"OB", 600 << 20)))
    parts += [packer.compress(zeros) for _ in range(600)]
    path.write_bytes(content[:start] + b"".join(parts) + packer.flush())
    return path


def spread(ds: Any) -> None:
    place = ds.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    x, y, z = place.ImagePositionPatient
    place.ImagePositionPatient = [x, y, float(z) + 4e8]  # a hundred million slices further on


def large(ds: Any) -> None:
    ds.Rows = ds.Columns = 65_535


def counted(ds: Any) -> None:
    ds.NumberOfFrames = 2_000_000_000


def unlike(ds: Any) -> None:
    packed(ds, JPEGLSLossless, [of_size(jpeg_ls(), 60_000, 60_000)] * int(ds.NumberOfFrames))


@pytest.mark.fault
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the memory of a process")
def test_bombs_are_refused_by_name_with_little_memory(tmp_path: Path) -> None:
    pytest.importorskip("highdicom")
    from MedUSISLib.dicom.export import export_dicom
    from MedUSISLib.dicom.request import ExportDicomRequest

    steps = [("CT", series_of(tmp_path / name, *bomb)) for name, bomb in BOMBS.items()]
    frames: Callable[[Any], None] = lambda ds: packed(ds, *(BOMBS["jpeg"][0], [BOMBS["jpeg"][1]] * 8))  # noqa: E731
    steps.append(("CT", write_enhanced(tmp_path / "frames.dcm", ct_on(STRAIGHT), change=frames)))
    ct = write_ct(tmp_path / "ct", STRAIGHT)
    write_result(tmp_path / "result", ct)
    export_dicom(ExportDicomRequest(result=tmp_path / "result", source=tmp_path / "ct", out=tmp_path / "out"))
    for change in (spread, large, counted, unlike):
        ds = pydicom.dcmread(tmp_path / "out" / "labels.dcm")
        change(ds)
        ds.save_as(tmp_path / f"{change.__name__}.dcm")
        steps.append((str(tmp_path / "ct"), tmp_path / f"{change.__name__}.dcm"))
    structures = write_rtstruct(tmp_path / "rs.dcm", ct, {"Brain": [loop_on(STRAIGHT, 2, box(2, 8, 2, 8))]})
    ds = pydicom.dcmread(structures)
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    steps.append((str(tmp_path / "ct"), deflated(ds, tmp_path / "deflated.dcm")))
    assert max(path.stat().st_size for _, path in steps if path.is_file()) < 4_000_000
    child = Path(__file__).with_name("bomb_child.py")
    # Threads of many processors would claim the addresses that are left to it.
    environment = {**os.environ, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    done = subprocess.run(
        [sys.executable, str(child)], input=json.dumps([[kind, str(path)] for kind, path in steps]),
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = dict(zip([path.name for _, path in steps], json.loads(done.stdout), strict=True))
    assert all(said.startswith("INPUT_NOT_READABLE") for said in told.values()), told
    reasons = dict.fromkeys(BOMBS, "whose header is damaged") | {"frames.dcm": "pixels cannot be decoded"}
    reasons |= {name: "claims more voxels" for name in ("spread.dcm", "large.dcm", "unlike.dcm", "deflated.dcm")}
    reasons |= {"counted.dcm": "damaged or incomplete DICOM SEG"}
    assert {name: words in told[name] for name, words in reasons.items()} == dict.fromkeys(reasons, True), told
    assert set(reasons) == set(told)


@pytest.mark.fault
def test_a_series_of_slices_that_are_packed_too_closely_is_refused(tmp_path: Path) -> None:
    """Each slice is plausible; all together claim what 3 kB cannot hold."""
    code = jpeg_2000(np.zeros((4096, 4096), np.uint16))
    assert len(code) < 300
    with pytest.raises(Exception, match="claims more voxels than the file holds"):
        read_volume(series_of(tmp_path / "s", JPEG2000Lossless, code, 4096, 4096))


def test_honest_compressed_series_are_read(tmp_path: Path) -> None:
    ct = ct_on(STRAIGHT)
    syntaxes = [RLELossless, JPEG2000Lossless]
    try:
        import jpeg_ls as _  # noqa: F401

        syntaxes.append(JPEGLSLossless)
    except ImportError:
        pass
    for number, syntax in enumerate(syntaxes):

        def pack(k: int, ds: Any, syntax: str = syntax) -> None:
            ds.PixelRepresentation = 0
            if syntax == JPEG2000Lossless:
                packed(ds, syntax, [jpeg_2000(ds.pixel_array.astype(np.uint16))])
            else:
                ds.compress(syntax)

        folder = write_series(tmp_path / str(number), ct, change=pack)
        assert np.array_equal(read_volume(folder).array_kji, ct.array_kji)


def test_the_transfer_syntax_is_found_as_readers_find_it() -> None:
    def meta(*elements: bytes) -> bytes:
        return bytes(128) + b"DICM" + b"".join(elements) + b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100" + bytes(2000)

    uid = b"1.2.840.10008.1.2.1.99"
    explicit, implicit = b"\x02\x00\x10\x00UI\x16\x00" + uid, b"\x02\x00\x10\x00\x16\x00\x00\x00" + uid
    before = b"\x02\x00\x01\x00OB\x00\x00" + struct.pack("<I", 1500) + bytes(1500)
    for content in (meta(explicit), meta(implicit), meta(before, explicit)):
        assert transfer_syntax(content)[0] == DeflatedExplicitVRLittleEndian
    with pytest.raises(PackedTooClosely):
        transfer_syntax(meta(before, explicit)[:1024])
    with pytest.raises(PackedTooClosely):
        require_modest_file(meta(explicit))  # what follows is no deflated data
