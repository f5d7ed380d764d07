"""The manifest's file: its tables, how it is opened, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

from MedUSISLib.batch.network_drive import is_on_network
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.trouble import is_disk_full

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE cases (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    ct TEXT NOT NULL,
    segmentation TEXT,
    labels TEXT,
    ct_series TEXT,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    code TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    hint TEXT NOT NULL DEFAULT '',
    started TEXT,
    ended TEXT,
    seconds REAL,
    review INTEGER,
    worker TEXT NOT NULL DEFAULT ''
);
CREATE TABLE problems (id INTEGER PRIMARY KEY, code TEXT, place TEXT, what TEXT, remedy TEXT);
"""
_BUSY_S = 15.0


def connect(path: Path, read_only: bool) -> sqlite3.Connection:
    """Open the file; every commit is synced to the disk.

    Write-ahead log, so that readers and the writer do not wait for each other. Its index is memory that all of them
    share, which two computers cannot: on a network drive, and where the file system cannot do it, SQLite keeps its
    rollback journal - as safe, and readers wait some milliseconds.
    """
    with named_errors(path):
        if not read_only:
            connection = _open(path, "rw")
            connection.execute(f"PRAGMA journal_mode={'DELETE' if is_on_network(path.parent) else 'WAL'}")
            connection.execute("PRAGMA synchronous=FULL")
            return connection
        try:
            return _opened_to_read(path, "ro")
        except sqlite3.OperationalError:
            # A writer that was killed within a commit: whoever may write takes it back. Or not even SQLite's own small
            # files can be made here: nobody writes.
            return _opened_to_read(path, "rw" if os.access(path.parent, os.W_OK) else "ro&immutable=1")


def _opened_to_read(path: Path, how: str) -> sqlite3.Connection:
    connection = _open(path, how)
    try:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("SELECT 1 FROM about").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def rest(connection: sqlite3.Connection) -> None:
    """Before it is closed: everything in one file, in which readers leave nothing.

    While a window has it open the log stays beside it, empty: a copy of the file alone must be whole, too.
    """
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA busy_timeout=500")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.execute("PRAGMA journal_mode=DELETE")


def _open(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{uri_of(path.absolute())}?mode={mode}",
        uri=True,
        timeout=_BUSY_S,
        isolation_level=None,  # transactions begin where we say so
        check_same_thread=False,  # the manifest holds a lock of its own
    )
    connection.row_factory = sqlite3.Row
    return connection


def uri_of(path: PurePath) -> str:
    r"""The path as SQLite takes a URI: it knows no servers, so those of ``\\server\share`` belong to the path.

    Examples
    --------
    >>> from pathlib import PureWindowsPath
    >>> uri_of(PureWindowsPath(r"\\nas\study\manifest.sqlite")), uri_of(PureWindowsPath("C:/a b"))
    ('file:////nas/study/manifest.sqlite', 'file:///C:/a%20b')
    """
    uri = path.as_uri()
    return uri if uri.startswith("file:///") else uri.replace("file://", "file:////", 1)


def make_private_file(path: Path) -> Path:
    """An empty file beside ``path`` for this user alone; SQLite gives its own further files the same rights."""
    half = path.with_name(f".{path.name}.new")
    with named_errors(path):
        half.unlink(missing_ok=True)
        os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return half


def put_in_place(half: Path, path: Path) -> None:
    """Give the file its name when all of it is on the disk."""
    with named_errors(path):
        sync(half)
        os.replace(half, path)
        sync(path.parent)


def sync(path: Path) -> None:
    """See to it that a file's content, or a folder's list of names, is on the disk."""
    with suppress(PermissionError):  # Windows opens no folders, and needs no such thing
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Errors of SQLite and of the file system as ours."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if is_disk_full(error):
            raise MedUSISError(
                ErrorCode.DISK_FULL, "no space is left for the batch", "free some, then go on", path.parent
            ) from error
        if isinstance(error, OSError):
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                "the output folder cannot be written",
                "give a folder that you may write to",
                path.parent,
            ) from error
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            "the batch's manifest.sqlite cannot be read or written: damaged, locked, or out of reach",
            "check the disk; results in the folder 'cases' are not touched",
            path,
        ) from error
