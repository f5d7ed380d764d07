"""Headers of MetaImage and NRRD files, checked before ITK reads them.

ITK's MetaImage reader takes memory for whatever a header claims, crashes at impossible numbers of axes, takes a number
that is none for 0, and opens whatever the header names as the file of the voxels, pipes and devices too.
"""

from __future__ import annotations

import re
from math import isfinite, prod
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.claims import require_held
from MedUSISLib.imaging.packed_voxels import PackedVoxels

_LONGEST = 1 << 20
_MOST_AXES = 5

_META_BYTES = {
    "MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4, "MET_LONG": 4,
    "MET_ULONG": 4, "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8, "MET_FLOAT": 4, "MET_DOUBLE": 8,
}  # fmt: skip
_META_PLACES = ("Offset", "Position", "Origin")
_META_AXES = ("TransformMatrix", "Orientation", "Rotation")
_META_SWITCHES = ("BinaryData", "BinaryDataByteOrderMSB", "ElementByteOrderMSB", "CompressedData")
_META_WHOLE = ("NDims", "HeaderSize", "ElementNumberOfChannels", "CompressedDataSize")
_TRUE, _FALSE = ("true", "t", "1"), ("false", "f", "0")

_NRRD_BYTES = (
    (re.compile(r"(u?int8(_t)?|(signed |unsigned |u)?char)"), 1),
    (re.compile(r"(u?int16(_t)?|(signed |unsigned )?short( int)?|ushort)"), 2),
    (re.compile(r"(u?int32(_t)?|((signed |unsigned )?int|uint)|float)"), 4),
    (re.compile(r"(u?int64(_t)?|(signed |unsigned )?(long long|longlong)( int)?|ulonglong|double)"), 8),
)
_NRRD_PACKED = {"raw": "", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}

_OTHER_LENGTH = re.compile(r"(?!mm$)\S{0,3}m|in|inch(es)?|microns?|(centi|micro|nano)?met(er|re)s?", re.IGNORECASE)


class _Damaged(ValueError):
    """A header that is not one."""


class _BadGeometry(ValueError):
    """A header whose numbers are no place."""


class _OtherUnits(ValueError):
    """A header whose numbers are not millimetres."""


def check_text_header(path: Path, role: str) -> PackedVoxels | None:
    """Refuse a MetaImage or NRRD file (by its suffix) whose header is damaged or claims what its file does not hold.

    Returns
    -------
    PackedVoxels or None
        Its voxels where they are packed, which are not looked at here.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``, ``GEOMETRY_MISMATCH``, ``OUT_OF_MEMORY``.
    """
    try:
        if path.suffix.lower() in (".mha", ".mhd"):
            return _check_meta_image(path, role)
        return _check_nrrd(path, role)
    except _OtherUnits:
        raise MedUSISError(
            ErrorCode.GEOMETRY_MISMATCH,
            f"{role} is not measured in millimetres, and readers of its format take every number for millimetres",
            "save it in millimetres, or convert it again from the original",
            path,
        ) from None
    except _BadGeometry:
        raise MedUSISError(
            ErrorCode.GEOMETRY_MISMATCH,
            f"{role} has axes, a spacing or an origin that are no numbers or not positive",
            "repair the header, or convert the image again from the original",
            path,
        ) from None
    except (_Damaged, OSError):
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            f"{role} cannot be read: the header is damaged, or the file with the voxels is not there",
            "copy it again with the files beside it, or convert it again from the original",
            path,
        ) from None


def _check_meta_image(path: Path, role: str) -> PackedVoxels | None:
    start = _start(path)
    found = re.search(rb"^[ \t]*ElementDataFile[ \t]*[=:][ \t]*([^\r\n]*)(\r?\n|$)", start, re.MULTILINE)
    if found is None:
        raise _Damaged
    fields: dict[str, str] = {}
    for line in start[: found.start()].decode("latin-1").splitlines():
        key, mark, value = line.replace(":", "=", 1).partition("=") if "=" not in line else line.partition("=")
        key = key.strip()
        if mark and fields.setdefault(key, value.strip()) != value.strip():
            raise _Damaged
    for key in _META_WHOLE:
        if key in fields and not re.fullmatch(r"-1|\d{1,18}", fields[key]):
            raise _Damaged
    for key in _META_SWITCHES:
        if fields.get(key, "true").lower() not in (*_TRUE, *_FALSE):
            raise _Damaged
    axes = int(fields.get("NDims", "0"))
    if not 2 <= axes <= _MOST_AXES:
        raise _Damaged
    size = _whole(fields.get("DimSize", ""), axes)
    _require_place(fields, axes)
    element = _META_BYTES.get(fields.get("ElementType", "").removesuffix("_ARRAY"))
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    if element is None or channels < 1:
        raise _Damaged
    packed = fields.get("CompressedData", "false").lower() in _TRUE
    name = found.group(1).strip().decode("utf-8", "replace")
    if name.upper() == "LOCAL":
        held = path.stat().st_size - found.end()
    else:
        held = _size_beside(path, name, start[found.end() :])
    if fields.get("BinaryData", "true").lower() not in _TRUE:
        require_held(role, path, prod(size) * channels, held)  # text: at least a digit for each
        return None
    claimed = prod(size) * element * channels
    require_held(role, path, claimed, held, "gzip" if packed else "")
    if not packed:
        return None
    # The bytes that ITK unpacks. Where a header does not count those in its own file, ITK would begin with the header.
    first, count = max(int(fields.get("HeaderSize", "0")), 0), int(fields.get("CompressedDataSize", "0"))
    if name.upper() == "LOCAL":
        if count < 1:
            raise _Damaged
        return PackedVoxels(path, first or found.end(), count, claimed)
    if not _is_one(name):
        raise _Damaged  # nobody packs slices one by one
    return PackedVoxels(path.parent / name, first, count if count > 0 else None, claimed)


def _require_place(fields: dict[str, str], axes: int) -> None:
    for keys, count in ((("ElementSpacing",), axes), (_META_PLACES, axes), (_META_AXES, axes * axes)):
        given = [fields[key] for key in keys if key in fields]
        if len(given) > 1:
            raise _Damaged
        for text in given:
            values = _reals(text, count)
            if keys == ("ElementSpacing",) and min(values[:3]) <= 0:
                raise _BadGeometry


def _check_nrrd(path: Path, role: str) -> PackedVoxels | None:
    start = _start(path)
    if not start.startswith(b"NRRD"):
        raise _Damaged
    end = re.search(rb"\r?\n\r?\n", start)
    header = start[: end.start()] if end else start
    if end is None and len(start) == _LONGEST:
        raise _Damaged
    fields: dict[str, str] = {}
    for line in header.decode("latin-1").splitlines()[1:]:
        key, mark, value = line.partition(":")
        if not mark or value.startswith("=") or line.startswith("#"):
            continue
        key = re.sub(r"\s", "", key.lower())
        if fields.setdefault(key, value.strip()) != value.strip():
            raise _Damaged
    sizes = _whole(fields.get("sizes", ""), len(fields.get("sizes", "").split()))
    element = next((count for kind, count in _NRRD_BYTES if kind.fullmatch(fields.get("type", "").lower())), None)
    if not sizes or element is None:
        raise _Damaged
    _require_millimetres(fields)
    vectors = fields.get("spacedirections", "").count("(")
    if vectors and vectors < min(len(sizes), 3):
        raise _BadGeometry  # an axis of the image that is none of space
    name = fields.get("datafile")
    held = path.stat().st_size - (end.end() if end else 0)
    if name is not None:
        held = _size_beside(path, name, start[len(header) :])
    packing = _NRRD_PACKED.get(fields.get("encoding", "").lower())
    if packing is None:  # text: at least a digit for each
        packing, element = "", 1
    require_held(role, path, prod(sizes) * element, held, packing)
    skips = any(fields.get(key, "0") != "0" for key in ("lineskip", "byteskip"))
    if packing != "gzip" or skips or (name is not None and not _is_one(name)):
        return None
    first = end.end() if end and name is None else 0
    return PackedVoxels(path if name is None else path.parent / name, first, None, prod(sizes) * element)


def _require_millimetres(fields: dict[str, str]) -> None:
    """What an axis of space is measured in stands in quotation marks, and seldom."""
    for key in ("spaceunits", "units"):
        if any(_OTHER_LENGTH.fullmatch(unit.strip()) for unit in re.findall(r'"([^"]*)"', fields.get(key, ""))):
            raise _OtherUnits


def _is_one(name: str) -> bool:
    """Whether the name of a file of voxels is that of one file."""
    return "%" not in name and not name.upper().startswith("LIST")


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_LONGEST)


def _size_beside(header: Path, name: str, after: bytes) -> int:
    """Bytes of the voxel files that a header names, which all have to be files; many when it names a pattern.

    A list stands in the lines ``after`` the header, or (NRRD's "LIST", MetaImage's pattern "%03d.raw 1 9 1") the names
    are counted up.
    """
    if name.upper().startswith("LIST"):
        names = [line.strip() for line in after.decode("utf-8", "replace").splitlines() if line.strip()]
    elif "%" in name:
        if len(Path(name.split()[0]).parts) != 1:
            raise _Damaged
        return sum(one.stat().st_size for one in header.parent.iterdir() if one != header and _is_file(one, must=False))
    else:
        names = [name]
    if not names:
        raise _Damaged
    return sum((header.parent / one).stat().st_size for one in names if _is_file(header.parent / one))


def _is_file(path: Path, must: bool = True) -> bool:
    """Whether it is a file; anything else that is there, and what is not there when it ``must`` be, is refused."""
    if path.is_file():
        return True
    if must or (path.exists() and not path.is_dir()):
        raise _Damaged
    return False


def _whole(text: str, count: int) -> list[int]:
    parts = text.split()
    if len(parts) != count or not all(re.fullmatch(r"\d{1,18}", part) and int(part) > 0 for part in parts):
        raise _Damaged
    return [int(part) for part in parts]


def _reals(text: str, count: int) -> list[float]:
    try:
        values = [float(part) for part in text.split()]
    except ValueError:
        raise _BadGeometry from None
    if len(values) != count or not all(isfinite(value) for value in values):
        raise _BadGeometry
    return values
