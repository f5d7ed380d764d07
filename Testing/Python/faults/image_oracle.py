"""What an image file says, read with nothing but the description of its format; to compare MedUSIS with."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_NIFTI_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_MET_TYPES = {
    "MET_UCHAR": "u1", "MET_CHAR": "i1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8",
}  # fmt: skip
_NRRD_TYPES = {
    "short": "i2", "int16": "i2", "signed short": "i2", "ushort": "u2", "unsigned short": "u2", "float": "f4",
    "double": "f8", "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "char": "i1", "int": "i4",
}  # fmt: skip
_UNIT_MM = {1: 1000.0, 3: 0.001}


@dataclass(frozen=True)
class Said:
    """Size (i, j, k), index to LPS mm (4x4) and values ``[k, j, i]``."""

    size_ijk: tuple[int, ...]
    matrix: np.ndarray
    values: np.ndarray


def said_by_nifti(path: Path) -> Said | None:
    """NIfTI-1 and -2 by the offsets in their definitions; None when the file is none."""
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return None
    for order in "<>":
        length = struct.unpack_from(order + "i", content)[0]
        if length == 348:
            return _nifti(content, order, _FIELDS_1)
        if length == 540:
            return _nifti(content, order, _FIELDS_2)
    return None


_FIELDS_1 = {
    "dim": (40, "8h"), "type": (70, "h"), "pixdim": (76, "8f"), "offset": (108, "f"), "scale": (112, "2f"),
    "units": (123, "B"), "qcode": (252, "h"), "scode": (254, "h"), "quaternion": (256, "3f"), "qoffset": (268, "3f"),
    "srow": (280, "12f"),
}  # fmt: skip
_FIELDS_2 = {
    "dim": (16, "8q"), "type": (12, "h"), "pixdim": (104, "8d"), "offset": (168, "q"), "scale": (176, "2d"),
    "units": (500, "i"), "qcode": (344, "i"), "scode": (348, "i"), "quaternion": (352, "3d"), "qoffset": (376, "3d"),
    "srow": (400, "12d"),
}  # fmt: skip


def _nifti(content: bytes, order: str, fields: dict[str, tuple[int, str]]) -> Said:
    said = {name: struct.unpack_from(order + code, content, at) for name, (at, code) in fields.items()}
    dimensions = min(said["dim"][0], 3)
    size = (*said["dim"][1 : dimensions + 1], *[1] * (3 - dimensions))
    spacing = np.abs(np.array(said["pixdim"][1:4], float))
    spacing[dimensions:] = np.where(spacing[dimensions:] > 0, spacing[dimensions:], 1)
    if said["scode"][0] > 0:
        matrix = np.eye(4)
        matrix[:3] = np.array(said["srow"], float).reshape(3, 4)
        if dimensions == 2 and not matrix[:3, 2].any():
            normal = np.cross(matrix[:3, 0], matrix[:3, 1])
            matrix[:3, 2] = normal / np.linalg.norm(normal) * spacing[2]
    elif said["qcode"][0] > 0:
        matrix = _from_quaternion(said["quaternion"], -1.0 if said["pixdim"][0] < 0 else 1.0, spacing)
        matrix[:3, 3] = said["qoffset"]
    else:
        matrix = np.diag([-1, -1, 1, 1]) @ np.diag([*spacing, 1])
    matrix[:3] *= _UNIT_MM.get(said["units"][0] & 7, 1.0)
    kind = np.dtype(order + _NIFTI_TYPES[said["type"][0]])
    values = np.frombuffer(content, kind, int(np.prod(size)), int(said["offset"][0])).reshape(size[::-1])
    slope, intercept = said["scale"]
    if slope != 0 and np.isfinite(slope):
        values = values * float(slope) + float(intercept)
    return Said(size, np.diag([-1, -1, 1, 1]) @ matrix, values)


def _from_quaternion(bcd: tuple[float, ...], handedness: float, spacing: np.ndarray) -> np.ndarray:
    b, c, d = bcd
    a = max(0.0, 1 - b * b - c * c - d * d) ** 0.5
    x, y, z = spacing[0], spacing[1], spacing[2] * handedness
    return np.array([
        [(a * a + b * b - c * c - d * d) * x, 2 * (b * c - a * d) * y, 2 * (b * d + a * c) * z, 0],
        [2 * (b * c + a * d) * x, (a * a + c * c - b * b - d * d) * y, 2 * (c * d - a * b) * z, 0],
        [2 * (b * d - a * c) * x, 2 * (c * d + a * b) * y, (a * a + d * d - c * c - b * b) * z, 0],
        [0, 0, 0, 1],
    ])  # fmt: skip


def said_by_nrrd(path: Path) -> Said | None:
    """An NRRD file with its voxels in it, as our samples are; None for fields that this does not understand."""
    head, _, body = path.read_bytes().partition(b"\n\n")
    lines = [line for line in head.decode("latin-1").split("\n")[1:] if line and not line.startswith("#")]
    fields = {key.strip().lower(): value.strip() for key, found, value in (x.partition(": ") for x in lines) if found}
    known = {"type", "dimension", "space", "sizes", "space directions", "kinds", "endian", "encoding", "space origin"}
    own = {"content", "centerings", "measurement frame"}
    if set(fields) - known - own or not known - {"kinds"} <= set(fields) or fields["dimension"] != "3":
        return None
    if fields["type"].lower() not in _NRRD_TYPES or fields["space"] != "left-posterior-superior":
        return None
    try:
        size = tuple(int(number) for number in fields["sizes"].split())
        columns = np.array([_numbers(one) for one in re.findall(r"\([^)]*\)", fields["space directions"])])
        origin = _numbers(fields["space origin"])
        packed = fields["encoding"].lower() in ("gzip", "gz")
        body = zlib.decompressobj(31).decompress(body) if packed else body
        order = {"little": "<", "big": ">"}[fields["endian"].lower()]
        values = np.frombuffer(body, order + _NRRD_TYPES[fields["type"].lower()], int(np.prod(size)))
        return Said(size, _matrix(columns, origin), values.reshape(size[::-1]))
    except zlib.error:
        raise AssertionError("its packed voxels are damaged") from None
    except (ValueError, KeyError):
        return None


def said_by_mha(path: Path) -> Said | None:
    """A MetaImage with its voxels in it, as our samples are; None for fields that this does not understand."""
    head, found, body = path.read_bytes().partition(b"ElementDataFile = LOCAL\n")
    pairs = [line.partition(" = ") for line in head.decode("latin-1").split("\n") if line]
    fields = {key: value for key, _, value in pairs}
    known = {
        "ObjectType", "NDims", "BinaryData", "BinaryDataByteOrderMSB", "CompressedData", "CompressedDataSize",
        "TransformMatrix", "Offset", "CenterOfRotation", "AnatomicalOrientation", "ElementSpacing", "DimSize",
        "ElementType", "CompressionLevel",
    }  # fmt: skip
    if not found or set(fields) - known or len(pairs) != len(fields) or fields.get("NDims") != "3":
        return None
    try:
        size = tuple(int(number) for number in fields["DimSize"].split())
        spacing = np.array([float(number) for number in fields["ElementSpacing"].split()])
        columns = np.array([float(n) for n in fields["TransformMatrix"].split()]).reshape(3, 3) * spacing[:, None]
        origin = np.array([float(number) for number in fields["Offset"].split()])
        if fields.get("CompressedData", "F")[0] in "Tt1":
            body = zlib.decompress(body[: int(fields["CompressedDataSize"])])
        order = ">" if fields["BinaryDataByteOrderMSB"][0] in "Tt1" else "<"
        values = np.frombuffer(body, order + _MET_TYPES[fields["ElementType"]], int(np.prod(size)))
        return Said(size, _matrix(columns, origin), values.reshape(size[::-1]))
    except zlib.error:
        raise AssertionError("its packed voxels are damaged") from None
    except (ValueError, KeyError):
        return None


def _numbers(text: str) -> np.ndarray:
    return np.array([float(number) for number in text.strip("()").split(",")])


def _matrix(columns: np.ndarray, origin: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = columns.T
    matrix[:3, 3] = origin
    return matrix
