"""Which files make up a volume, for whoever has to know whether one of them has changed."""

from __future__ import annotations

import re
from pathlib import Path

from MedUSISLib.imaging.dicom_files import is_dicom_file
from MedUSISLib.imaging.dicom_series import series_files
from MedUSISLib.imaging.writing import volume_suffix

#: Headers whose voxels lie in a file beside them; how MetaImage and NRRD name it.
_DETACHED = (".mhd", ".nhdr")
_DATA_FILE = re.compile(rb"^\s*(?:ElementDataFile\s*=|data ?file\s*:)\s*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)


def source_files(path: Path, series_uid: str = "") -> list[Path]:
    """The files that `imaging.reading.read_volume` reads for this path.

    Parameters
    ----------
    path : Path
        A file, one slice of a DICOM series, or a folder that holds one.
    series_uid : str
        Which series, when a folder holds several.

    Returns
    -------
    list of Path
        In no particular order; of a folder without DICOM files, or of a file that does not exist, the path itself.

    Examples
    --------
    >>> source_files(Path("head.nii.gz"))
    [PosixPath('head.nii.gz')]
    """
    if path.is_dir():
        return series_files(path, series_uid) or [path]
    if path.is_file() and not volume_suffix(path) and is_dicom_file(path):
        from MedUSISLib.imaging.packed_pixels import PackedTooClosely, elements_of

        try:
            header = elements_of(path, ["SeriesInstanceUID"])
        except PackedTooClosely:  # whoever reads it will say so
            return [path]
        return series_files(path.parent, str(header.get("SeriesInstanceUID", ""))) or [path]
    if volume_suffix(path) in _DETACHED and path.is_file():
        return [path, *_voxels_of(path)]
    return [path]


def _voxels_of(header: Path) -> list[Path]:
    """Data files that a header names; of a list or a pattern of names, all files of the folder."""
    found = _DATA_FILE.search(header.read_bytes()[:65536])
    name = found.group(1).strip().decode("utf-8", "replace") if found else "LOCAL"
    if name.upper() == "LOCAL":
        return []
    beside = header.parent / name
    if beside.is_file():
        return [beside]
    return sorted(path for path in header.parent.iterdir() if path.is_file() and path != header)
