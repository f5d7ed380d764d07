"""A results folder that appears all at once or not at all.

Everything is written into a hidden folder beside it and moved into place at the end, so a failed or cancelled run
leaves neither half a result nor a destroyed earlier one. What MedUSIS did not write is never deleted.
"""

from __future__ import annotations

import glob
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.leftovers import note, remove, temporary
from MedUSISLib.single_run import LOCK_SUFFIX, single_run
from MedUSISLib.small_files import read_small_file
from MedUSISLib.strict_json import parse_json
from MedUSISLib.trouble import is_disk_full

MARKER_NAME = ".medusis-result.json"
"""Lists what a run wrote, so that the next one may replace exactly that."""


@contextmanager
def atomic_output_directory(out: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a private folder to write into, whose content becomes ``out`` when the block ends well.

    A new folder appears by one rename. In an existing folder the files of an earlier MedUSIS result are replaced,
    files that MedUSIS did not write stay, and everything is put back when the replacement itself fails. A process that
    is killed in the milliseconds of a replacement leaves a part of one of the two results, never of both, and without
    the list of what belongs to it, by which a result is known.

    Parameters
    ----------
    out : str or Path
        The folder that the user asked for. Missing parents are made.
    overwrite : bool
        Allow to write into a folder that holds other things than an earlier MedUSIS result; files of the same name
        are replaced, others are kept.

    Yields
    ------
    Path
        An empty folder, readable by the user alone, in the same file system as ``out``.

    Raises
    ------
    MedUSISError
        BAD_SETTING when ``out`` is a file, holds foreign files, cannot be written or another run writes there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_output_directory(Path(folder) / "result") as partial:
    ...         _ = (partial / "quality.json").write_text("{}")
    ...     sorted(p.name for p in (Path(folder) / "result").iterdir())
    ['.medusis-result.json', 'quality.json']
    """
    out = Path(out).expanduser().resolve()
    _check_folder(out, overwrite)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(out, error) from error
    staging_root = _staging_parent(out)
    lock_path = staging_root / (_hidden_prefix(out) + LOCK_SUFFIX.removeprefix("-"))
    note(lock_path)
    with single_run(lock_path) as locked:
        _check_folder(out, overwrite)
        if locked:
            _remove_stale(out, staging_root)
        with temporary(staging_root / f"{_hidden_prefix(out)}{uuid.uuid4().hex[:12]}") as staging:
            new, old = staging / "new", staging / "old"
            try:
                staging.mkdir(mode=0o700)
                new.mkdir(mode=0o700)
            except OSError as error:
                raise _not_writable(out, error) from error
            yield new
            _write_marker(new)
            if out.is_dir():
                _replace_content(out, new, old)
            else:
                new.chmod(0o777 & ~_umask())
                new.rename(out)


def check_output_directory(out: str | Path, overwrite: bool = False) -> None:
    """Say now what `atomic_output_directory` would say of the folder later; nothing is made.

    Raises
    ------
    MedUSISError
        BAD_SETTING when ``out`` is a file, holds foreign files or cannot be written.
    """
    out = Path(out).expanduser().resolve()
    _check_folder(out, overwrite)
    there = next(folder for folder in (out, *out.parents) if folder.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise _not_writable(out)


def remove_half_written(out: Path) -> None:
    """Remove what killed runs left beside ``out``; nothing while another run writes there."""
    out = Path(out).expanduser().resolve()
    if out.parent.is_dir():
        root = _staging_parent(out)
        with suppress(MedUSISError), single_run(root / (_hidden_prefix(out) + LOCK_SUFFIX.removeprefix("-"))) as locked:
            if locked:
                _remove_stale(out, root)


def is_medusis_result(folder: Path) -> bool:
    """True when the folder holds an earlier result of MedUSIS and nothing else."""
    written = written_files(folder)
    return bool(written) and {p.name for p in folder.iterdir()} <= written


def _check_folder(out: Path, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "the output folder is a file", "give a folder that is new or empty", path=out
        )
    if not out.is_dir() or overwrite:
        return
    try:
        present = {p.name for p in out.iterdir()}
    except OSError as error:
        raise _not_writable(out, error) from error
    foreign = present - written_files(out) - {n for n in present if n.startswith(_hidden_prefix(out))}
    if foreign:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"the output folder holds {len(foreign)} file(s) that MedUSIS did not write",
            "give a new folder, or --overwrite to write between them",
            path=out,
        )


def written_files(folder: Path) -> set[str]:
    """Names of what a run wrote into the folder; empty when no run did, or its list is damaged.

    A name that leaves the folder is none that a run wrote: what stands in the list is replaced by the next run.
    """
    with suppress(OSError, ValueError, TypeError, KeyError):
        names = parse_json(read_small_file(folder / MARKER_NAME))["written"]
        if isinstance(names, list) and all(_is_plain(name) for name in names):
            return {MARKER_NAME, *names}
    return set()


def _is_plain(name: object) -> bool:
    kinds = (PurePosixPath, PureWindowsPath)
    return isinstance(name, str) and name not in ("", ".", "..") and all(kind(name).name == name for kind in kinds)


def _write_marker(folder: Path) -> None:
    names = sorted(p.name for p in folder.iterdir())
    (folder / MARKER_NAME).write_text(json.dumps({"written": names}, indent=1) + "\n", encoding="utf-8", newline="\n")


def _staging_parent(out: Path) -> Path:
    """Beside ``out``; inside it where the parent is read-only or another file system (a mounted folder)."""
    if out.is_dir():
        same_file_system = out.stat().st_dev == out.parent.stat().st_dev
        if not same_file_system or not os.access(out.parent, os.W_OK):
            return out
    return out.parent


def _hidden_prefix(out: Path) -> str:
    return f".{out.name}.medusis-"


def _remove_stale(out: Path, staging_root: Path) -> None:
    """Remove what a run that lost its power left here; safe because this run holds the folder's lock."""
    for path in staging_root.glob(glob.escape(_hidden_prefix(out)) + "*"):
        if not path.name.endswith(LOCK_SUFFIX):
            remove(path)


def _replace_content(out: Path, new: Path, old: Path) -> None:
    # Out goes the list first, in comes it last: while files change places there is no result.
    names = sorted((p.name for p in new.iterdir()), key=lambda name: name == MARKER_NAME)
    moved_out: list[str] = []
    moved_in: list[str] = []
    old.mkdir(mode=0o700)
    try:
        for name in sorted(written_files(out) | set(names), key=lambda name: name != MARKER_NAME):
            if (out / name).exists() or (out / name).is_symlink():
                (out / name).rename(old / name)
                moved_out.append(name)
        for name in names:
            (new / name).rename(out / name)
            moved_in.append(name)
    except BaseException:
        for name in moved_in:
            (out / name).rename(new / name)
        for name in moved_out:
            (old / name).rename(out / name)
        raise


def _umask() -> int:
    value = os.umask(0o077)
    os.umask(value)
    return value


def _not_writable(out: Path, error: OSError | None = None) -> MedUSISError:
    if error is not None and is_disk_full(error):
        return MedUSISError(ErrorCode.DISK_FULL, "the disk is full", "free some space or choose another folder", out)
    return MedUSISError(
        ErrorCode.BAD_SETTING, "the output folder cannot be written", "give a folder that you may write to", path=out
    )
