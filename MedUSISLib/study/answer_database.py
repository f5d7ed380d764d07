"""The database of answers: its tables and their versions, how it is opened, and what its errors mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedUSISLib.errors import ErrorCode, MedUSISError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, MetaData, Table

SCHEMA_VERSION = 1
SCHEMA_MIGRATIONS: Mapping[int, Callable[[Connection], None]] = {}
"""``SCHEMA_MIGRATIONS[n]`` brings tables of version n to n + 1, in the transaction that opens the store. What a row's
hash is made of must stay, or the chain of earlier rows breaks."""

_BUSY_S = 15
_FULL = ("disk is full", "database or disk is full", "no space left", "disk full")


class Conflict(MedUSISError):
    """Two transactions of a database server got into each other's way; the same once more may succeed."""


def tables() -> tuple[MetaData, Table, Table]:
    """All tables, that of the rows, and that of the version."""
    from sqlalchemy import Column, Float, Integer, MetaData, String, Table, Text, UniqueConstraint

    metadata = MetaData()
    rows = Table(
        "medusis_rows",
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("study", String(64), nullable=False),
        Column("protocol_sha256", String(64), nullable=False),
        Column("package_sha256", String(64), nullable=False),
        Column("reader", String(32), nullable=False),
        Column("sequence", Integer, nullable=False),
        Column("kind", String(16), nullable=False),
        Column("trial", String(16), nullable=False),
        Column("stage", Integer, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("values", Text, nullable=False),
        Column("seconds", Float, nullable=False),
        Column("at", String(32), nullable=False),
        Column("previous", String(64), nullable=False),
        Column("hash", String(64), nullable=False),
        # Whoever comes second with the same number is refused by the database itself.
        UniqueConstraint("study", "reader", "sequence"),
        UniqueConstraint("hash"),
    )
    about = Table("medusis_about", metadata, Column("name", String(32), primary_key=True), Column("value", String(64)))
    return metadata, rows, about


def bring_up_to_date(connection: Connection, about: Table, path: Path | None) -> None:
    """Write the version into a new database; migrate an older one.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE when a newer MedUSIS made it.
    """
    from sqlalchemy import insert, select, update

    here = about.c.name == "schema_version"
    stored = connection.execute(select(about.c.value).where(here)).scalar()
    if stored is None:
        connection.execute(insert(about).values(name="schema_version", value=str(SCHEMA_VERSION)))
        return
    version = int(stored) if str(stored).isdecimal() else 0
    if not 1 <= version <= SCHEMA_VERSION:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            "the answers were stored by a newer MedUSIS" if version else "the answers have no version",
            "install a newer MedUSIS" if version else "use the file as the reader's program wrote it",
            path,
        )
    for earlier in range(version, SCHEMA_VERSION):
        SCHEMA_MIGRATIONS[earlier](connection)
    if version < SCHEMA_VERSION:
        connection.execute(update(about).where(here).values(value=str(SCHEMA_VERSION)))


def engine_of(where: str | Path, path: Path | None) -> Engine:
    """Opens a file (``path``) or a URL; SQLite waits for other writers and syncs every commit to the disk."""
    try:
        from sqlalchemy import create_engine, event
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        from sqlalchemy.pool import NullPool
    except ImportError:
        raise _missing("SQLAlchemy", "pip install 'medusis[studies]'") from None
    if path is None:
        try:
            return create_engine(str(where), isolation_level="SERIALIZABLE", pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError):
            raise MedUSISError(ErrorCode.BAD_SETTING, "the URL of the answers is none of a database") from None
        except ImportError:
            raise _missing("the driver of this database", "pip install 'psycopg[binary]' for PostgreSQL") from None
    if not path.parent.is_dir():
        raise MedUSISError(ErrorCode.BAD_SETTING, "the folder for the answers does not exist", "make it", path)
    # No pool: a connection that another process's power cut left behind is never used again.
    engine = create_engine(f"sqlite:///{path.absolute()}", poolclass=NullPool, connect_args={"timeout": _BUSY_S})

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, record: object) -> None:
        # Transactions begin where we say so (below), not where Python's module guesses.
        connection.isolation_level = None
        cursor = connection.cursor()
        # Where a network drive refuses the write-ahead log, SQLite stays with its rollback journal: as safe, slower.
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # IMMEDIATE: the second writer waits here instead of failing at the end.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@contextmanager
def named_errors(path: Path | None) -> Iterator[None]:
    """Errors of a database as ours; `Conflict` where the same once more may succeed."""
    import sqlite3

    from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

    try:
        yield
    except IntegrityError:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "this was answered in another window meanwhile", "close one of the windows", path
        ) from None
    except (DBAPIError, sqlite3.Error) as error:
        text = str(getattr(error, "orig", error)).lower()
        if any(word in text for word in _FULL):
            raise MedUSISError(
                ErrorCode.DISK_FULL, "no space is left to store the answer", "free space, then answer again", path
            ) from None
        if "serializ" in text or "deadlock" in text:
            raise Conflict(
                ErrorCode.BAD_SETTING, "others wrote at the same time, again and again", "answer again", path
            ) from None
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            "the answers cannot be read or written: no database of MedUSIS, damaged, locked, or out of reach",
            "check the file or the connection",
            path,
        ) from None
    except SQLAlchemyError:
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, "the answers cannot be read or written", path=path) from None


def _missing(what: str, hint: str) -> MedUSISError:
    return MedUSISError(ErrorCode.DEPENDENCY_MISSING, f"reader studies need {what}", hint)
