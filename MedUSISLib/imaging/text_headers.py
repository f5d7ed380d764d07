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


class _Damaged(ValueError):
    """A header that is not one."""


class _BadGeometry(ValueError):
    """A header whose numbers are no place."""


def check_text_header(path: Path, role: str) -> None:
    """Refuse a MetaImage or NRRD file (by its suffix) whose header is damaged or claims what its file does not hold.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``, ``GEOMETRY_MISMATCH``, ``OUT_OF_MEMORY``.
    """
    try:
        if path.suffix.lower() in (".mha", ".mhd"):
            _check_meta_image(path, role)
        else:
            _check_nrrd(path, role)
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


def _check_meta_image(path: Path, role: str) -> None:
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
    if fields.get("BinaryData", "true").lower() in _TRUE:
        require_held(role, path, prod(size) * element * channels, held, "gzip" if packed else "")
    else:
        require_held(role, path, prod(size) * channels, held)  # text: at least a digit for each


def _require_place(fields: dict[str, str], axes: int) -> None:
    for keys, count in ((("ElementSpacing",), axes), (_META_PLACES, axes), (_META_AXES, axes * axes)):
        given = [fields[key] for key in keys if key in fields]
        if len(given) > 1:
            raise _Damaged
        for text in given:
            values = _reals(text, count)
            if keys == ("ElementSpacing",) and min(values[:3]) <= 0:
                raise _BadGeometry


def _check_nrrd(path: Path, role: str) -> None:
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
    name = fields.get("datafile")
    held = path.stat().st_size - (end.end() if end else 0)
    if name is not None:
        held = _size_beside(path, name, start[len(header) :])
    packing = _NRRD_PACKED.get(fields.get("encoding", "").lower())
    if packing is None:  # text: at least a digit for each
        packing, element = "", 1
    require_held(role, path, prod(sizes) * element, held, packing)


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
