"""Copying a bundle out of a zip file or a folder that somebody else made, trusting nothing in it."""

from __future__ import annotations

import shutil
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.manifest import MANIFEST_NAME, check_file_name
from MedUSISLib.generators.weights import PICKLE_SUFFIXES
from MedUSISLib.trouble import is_disk_full

ALLOWED_SUFFIXES = frozenset(
    {".json", ".safetensors", ".md", ".txt", ".csv", ".tsv", ".png", ".jpg", ".jpeg", ".svg", ".ctbl", ".pdf", ""}
)
"""What a bundle may hold. No code, no archives, no pickles; a file without suffix is a LICENSE."""

DAMAGED_ZIP = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, struct.error, zlib.error,
)  # fmt: skip
"""What Python's zipfile says of damage, beside OSError for places before the beginning of the file."""

_IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Largest bundle accepted: bytes in all, number of files, and how much smaller the zip may be than its contents.

    Weights hardly compress (factor 1.1), text about 5; a factor of 100 over a megabyte is a zip bomb.
    """

    total_bytes: int = 2 * 1024**3
    files: int = 1000
    compression: float = 100.0


def unpack_zip(archive: Path, target: Path, limits: Limits) -> Path:
    """Unpack a zip file that holds one bundle, at its top or in one folder; the folder with the manifest.

    Raises
    ------
    MedUSISError
        GENERATOR_CORRUPT for links, names that leave the folder, pickles, duplicates, encryption, sizes over the
        limits (declared or real), or an archive without a single bundle in it.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            entries = [entry for entry in file.infolist() if not _ignored(entry.filename)]
            _check_entries(entries, limits)
            prefix = _bundle_prefix([entry.filename for entry in entries])
            remaining = limits.total_bytes
            for entry in entries:
                if entry.is_dir() or not entry.filename.startswith(prefix):
                    continue
                path = target / entry.filename[len(prefix) :]
                path.parent.mkdir(parents=True, exist_ok=True)
                with file.open(entry) as source, path.open("xb") as sink:
                    # the declared size is only a claim: count what really comes
                    while block := source.read(_BLOCK):
                        remaining -= len(block)
                        if remaining < 0:
                            raise _refused("it is larger than the limit")
                        sink.write(block)
    except OSError as error:
        if is_disk_full(error) or isinstance(error, PermissionError):
            raise
        raise _refused("the zip file is damaged or cannot be read") from error
    except DAMAGED_ZIP as error:
        raise _refused("the zip file is damaged, or packed in a way that is not supported") from error
    return target


def copy_folder(source: Path, target: Path, limits: Limits) -> Path:
    """Copy a bundle folder.

    Raises
    ------
    MedUSISError
        GENERATOR_NOT_FOUND without a manifest; GENERATOR_CORRUPT for links, pickles, other kinds of files, or too much.
    """
    if not (source / MANIFEST_NAME).is_file():
        raise MedUSISError(
            ErrorCode.GENERATOR_NOT_FOUND,
            "the given folder holds no generator (no manifest.json)",
            "give the folder that holds manifest.json",
            path=source,
        )
    remaining, count = limits.total_bytes, 0
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        if _ignored(name):
            continue
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            continue
        if not stat.S_ISREG(mode):
            raise _refused(f"'{name}' is a link or a special file")
        _check_name(name)
        count += 1
        remaining -= path.stat().st_size
        if remaining < 0 or count > limits.files:
            raise _refused("it is larger than the limit")
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy, follow_symlinks=False)
    return target


def _check_entries(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(entries) > limits.files:
        raise _refused("it holds too many files")
    if sum(entry.file_size for entry in entries) > limits.total_bytes:
        raise _refused("it is larger than the limit")
    seen: set[str] = set()
    for entry in entries:
        if not entry.filename:
            raise _refused("it holds a file without a name")
        name = entry.filename.rstrip("/") if entry.is_dir() else entry.filename
        mode = entry.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refused("it holds a link or a special file")
        if entry.flag_bits & 0x1:
            raise _refused("it is encrypted")
        if name.lower() in seen:
            raise _refused("it holds two files of the same name")
        seen.add(name.lower())
        if entry.file_size > _BLOCK and entry.file_size > limits.compression * max(entry.compress_size, 1):
            raise _refused("it unpacks to far more than its own size")
        _check_name(name, is_directory=entry.is_dir(), original=entry.orig_filename.rstrip("/"))


def _check_name(name: str, is_directory: bool = False, original: str | None = None) -> None:
    try:
        check_file_name(name)
        if original is not None:
            # zipfile turns the platform's separators into slashes: look at what the archive says, too
            check_file_name(original)
    except ValueError:
        raise _refused("it holds a file name that leaves its folder or is not allowed") from None
    suffix = PurePosixPath(name).suffix.lower()
    if is_directory:
        return
    if suffix in PICKLE_SUFFIXES:
        raise _refused(f"'{name}' is a pickle, which MedUSIS never loads")
    if suffix not in ALLOWED_SUFFIXES:
        raise _refused(f"'{name}' is not a kind of file that belongs into a generator")


def _bundle_prefix(names: list[str]) -> str:
    """The folder inside the archive that holds the manifest: '' or one level down."""
    manifests = [name for name in names if PurePosixPath(name).name == MANIFEST_NAME and name.count("/") <= 1]
    if len(manifests) != 1:
        raise _refused("it does not hold exactly one generator (one manifest.json, at its top or in one folder)")
    return manifests[0][: -len(MANIFEST_NAME)]


def _ignored(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return (parts[0] == "__MACOSX" and ".." not in parts) or parts[-1] in _IGNORED


def _refused(reason: str) -> MedUSISError:
    return MedUSISError(
        ErrorCode.GENERATOR_CORRUPT,
        f"the generator is refused: {reason}",
        "ask its author for a bundle as MedUSIS writes it",
    )
