"""A bundle given away: as one zip file that is the same byte for byte whoever packs it, or as a folder."""

from __future__ import annotations

import shutil
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle, verify_bundle
from MedUSISLib.generators.manifest import MANIFEST_NAME
from MedUSISLib.generators.writing import replace_directory
from MedUSISLib.leftovers import temporary
from MedUSISLib.trouble import DISK_ERRNO

ZIP_SUFFIX = ".zip"

_TIME = (1980, 1, 1, 0, 0, 0)
"""Of every file in a zip: the earliest that the format knows. When it was packed is nobody's business."""


def pack_bundle(bundle: Bundle, target: Path, overwrite: bool = False) -> Path:
    """Write a verified bundle to a zip file or into a folder, whole or not at all.

    Only what the manifest names goes along. Nothing is compressed: weights hardly shrink, and the bytes then depend
    neither on the version of zlib nor on the machine.

    Parameters
    ----------
    bundle : Bundle
    target : Path
        A name that ends in ".zip", or the folder that the bundle is to become.
    overwrite : bool
        Replace a file, or a folder that holds a bundle; another folder is never replaced.

    Returns
    -------
    Path
        The target.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` when the target is there or cannot be written, ``DISK_FULL``.
    """
    check_target(target, overwrite)
    with _disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix.lower() == ZIP_SUFFIX:
            _pack_zip(bundle, target)
        else:
            _copy(bundle, target)
    return target


def check_target(target: Path, overwrite: bool) -> None:
    """Refuse a target that must not be replaced, before any work is done for it.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING``.
    """
    is_zip = target.suffix.lower() == ZIP_SUFFIX
    if target.is_symlink() or (target.exists() and is_zip != target.is_file()):
        raise _refused("something else is at the place for the generator", "choose another name", target)
    if target.is_dir() and any(target.iterdir()) and not (target / MANIFEST_NAME).is_file():
        raise _refused(
            "the folder holds other files", "name a folder that is not there yet, or a file that ends in .zip", target
        )
    if target.exists() and not overwrite and (is_zip or any(target.iterdir())):
        raise _refused("there is something of this name already", "choose another name, or say --overwrite", target)


def _names(bundle: Bundle) -> list[str]:
    return [MANIFEST_NAME, *sorted(bundle.manifest.files)]


def _pack_zip(bundle: Bundle, target: Path) -> None:
    with temporary(_beside(target)) as half:
        with zipfile.ZipFile(half, "x", zipfile.ZIP_STORED) as archive:
            for entry in _names(bundle):
                header = zipfile.ZipInfo(f"{bundle.manifest.id}/{entry}", _TIME)
                header.create_system = 3  # the same on every system, and with the permissions below
                header.external_attr = 0o644 << 16
                with (bundle.directory / entry).open("rb") as source, archive.open(header, "w") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
        half.replace(target)


def _copy(bundle: Bundle, target: Path) -> None:
    with temporary(_beside(target)) as half:
        for entry in _names(bundle):
            copy = half / entry
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle.directory / entry, copy)
        verify_bundle(half)
        replace_directory(half, target)


def _beside(target: Path) -> Path:
    """A hidden name on the same disk: the rename is one step."""
    return target.parent / f".packing-{uuid.uuid4().hex[:12]}"


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in DISK_ERRNO:
            raise MedUSISError(ErrorCode.DISK_FULL, "the disk is full", "free some space", target) from error
        raise _refused("the generator cannot be written there", "choose another place", target) from error


def _refused(message: str, hint: str, target: Path) -> MedUSISError:
    return MedUSISError(ErrorCode.BAD_SETTING, message, hint, target)
