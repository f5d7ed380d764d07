"""Where answers live: a database to which rows are only added, each one on the disk before the next trial is shown.

SQLite through SQLAlchemy, one file per reader; any other database that SQLAlchemy knows by its URL, for several sites.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.versioned import sha256_of_json

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, MetaData, Table

ANSWERS_NAME = "answers.sqlite"
SCHEMA_VERSION = 1

Kind = Literal["answer", "profile", "closing", "start", "shown", "pause", "resume"]
"""What a row records; "answer" belongs to a stage of a trial, the others to the reader."""

_BUSY_S = 15
_ATTEMPTS = 12
_FULL = ("disk is full", "database or disk is full", "no space left", "disk full")


class _Conflict(MedUSISError):
    """Two transactions of a database server got into each other's way; the same once more may succeed."""


@dataclass(frozen=True)
class Row:
    """One committed row.

    Attributes
    ----------
    study, protocol_sha256, package_sha256, reader : str
        To what and whom it belongs.
    sequence : int
        1, 2, 3, ... for this reader, without a gap, in the order of commitment.
    kind : str
    trial : str
        Id of the trial; "" where the row belongs to none.
    stage : int
        From 0; only sequential reading has more than one.
    revision : int
        0 is the first answer, 1 its first correction; older ones stay.
    values : mapping
        Question id to answer.
    seconds : float
        Time spent without breaks.
    at : str
        UTC, ISO 8601.
    previous, hash : str
        SHA-256 of the row before and of this one: a row that was changed or taken out breaks the chain.
    """

    study: str
    protocol_sha256: str
    package_sha256: str
    reader: str
    sequence: int
    kind: Kind
    trial: str
    stage: int
    revision: int
    values: Mapping[str, Any]
    seconds: float
    at: str
    previous: str = ""
    hash: str = ""

    def computed_hash(self) -> str:
        """What ``hash`` has to be."""
        return sha256_of_json({n: v for n, v in self.__dict__.items() if n != "hash"})


class AnswerStore:
    """Rows of one or more readers.

    Every ``add`` is one transaction; when it returns, the row survives a kill and a power cut (SQLite: write-ahead log
    with full synchronisation; where the file system cannot do that, a rollback journal). Two windows of the same
    reader, or two readers, cannot corrupt each other: the second one waits, and an answer to what was answered
    meanwhile is refused.

    Parameters
    ----------
    where : str or Path
        A file, which is made when it is not there, or a URL of SQLAlchemy ("postgresql+psycopg://...").

    Raises
    ------
    MedUSISError
        DEPENDENCY_MISSING without SQLAlchemy or the URL's driver, INPUT_NOT_READABLE when it is no such database.

    Examples
    --------
    ::

        with AnswerStore("R1.sqlite") as store:
            store.add("answer", owner, trial="0123456789abcdef", values={"source": "real"}, seconds=4.2)
    """

    def __init__(self, where: str | Path) -> None:
        self._path = None if "://" in str(where) else Path(where)
        self._engine = _engine(where, self._path)
        self._metadata, self._rows, self._about = _tables()
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> AnswerStore:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; what was added is there whether this is called or not."""
        self._engine.dispose()

    def add(
        self,
        kind: Kind,
        owner: Owner,
        trial: str = "",
        stage: int = 0,
        values: Mapping[str, Any] | None = None,
        seconds: float = 0.0,
        revision: int = 0,
    ) -> Row:
        """Commit one row.

        Parameters
        ----------
        kind, trial, stage, values, seconds : see Row
        owner : Owner
        revision : int
            For an answer: how many there are already. Another number means that someone answered meanwhile.

        Raises
        ------
        MedUSISError
            BAD_SETTING when the trial was answered meanwhile; DISK_FULL (the answer is not stored; nothing else is
            lost); INPUT_NOT_READABLE when the database cannot be reached.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        # As it will be read back, so that the hash is that of what is stored.
        stored = json.loads(json.dumps(dict(values or {}), allow_nan=False))
        for attempt in range(_ATTEMPTS):
            try:
                return self._add(kind, owner, trial, stage, stored, round(float(seconds), 3), revision, at)
            except _Conflict:
                # Nothing of it was stored. A database server may refuse even writers that do not touch each other.
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0.0, 0.02 * 2 ** min(attempt, 6)))
        raise AssertionError

    def _add(
        self,
        kind: Kind,
        owner: Owner,
        trial: str,
        stage: int,
        values: Mapping[str, Any],
        seconds: float,
        revision: int,
        at: str,
    ) -> Row:
        with self._transaction() as connection:
            before = self._last(connection, owner)
            if kind == "answer" and self._revisions(connection, owner, trial, stage) != revision:
                raise MedUSISError(
                    ErrorCode.BAD_SETTING,
                    "this trial was answered in another window meanwhile",
                    "close one of the windows; what the other one stored is kept",
                )
            row = Row(
                study=owner.study,
                protocol_sha256=owner.protocol_sha256,
                package_sha256=owner.package_sha256,
                reader=owner.reader,
                sequence=before.sequence + 1 if before else 1,
                kind=kind,
                trial=trial,
                stage=stage,
                revision=revision,
                values=values,
                seconds=seconds,
                at=at,
                previous=before.hash if before else "",
            )
            row = replace(row, hash=row.computed_hash())
            self._insert(connection, row)
        return row

    def insert(self, rows: list[Row]) -> None:
        """Take over rows of another store as they are, in one transaction; see ``merging``."""
        with self._transaction() as connection:
            for row in rows:
                self._insert(connection, row)

    def rows(self, reader: str | None = None) -> list[Row]:
        """All rows, by reader and in the order in which they were committed."""
        from sqlalchemy import select

        query = select(self._rows).order_by(self._rows.c.study, self._rows.c.reader, self._rows.c.sequence)
        if reader is not None:
            query = query.where(self._rows.c.reader == reader)
        with _named_errors(self._path), self._engine.connect() as connection:
            return [_row_of(found._mapping) for found in connection.execute(query)]

    def check(self) -> None:
        """Compare every row with its hash and with the one before.

        Raises
        ------
        MedUSISError
            INPUT_NOT_READABLE when a row was changed, taken out or put in by something else.
        """
        check_chain(self.rows(), self._path)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with _named_errors(self._path), self._engine.begin() as connection:
            yield connection

    def _prepare(self) -> None:
        from sqlalchemy import insert, select

        with self._transaction() as connection:
            self._metadata.create_all(connection)
            version = connection.execute(
                select(self._about.c.value).where(self._about.c.name == "schema_version")
            ).scalar()
            if version is None:
                connection.execute(insert(self._about).values(name="schema_version", value=str(SCHEMA_VERSION)))
            elif version != str(SCHEMA_VERSION):
                raise MedUSISError(
                    ErrorCode.INPUT_NOT_READABLE,
                    "the answers were stored by a newer MedUSIS",
                    "install a newer MedUSIS",
                    self._path,
                )

    def _last(self, connection: Connection, owner: Owner) -> Row | None:
        from sqlalchemy import select

        query = (
            select(self._rows)
            .where(self._rows.c.study == owner.study, self._rows.c.reader == owner.reader)
            .order_by(self._rows.c.sequence.desc())
            .limit(1)
        )
        found = connection.execute(query).first()
        return _row_of(found._mapping) if found is not None else None

    def _revisions(self, connection: Connection, owner: Owner, trial: str, stage: int) -> int:
        from sqlalchemy import func, select

        c = self._rows.c
        query = select(func.count()).where(
            c.study == owner.study, c.reader == owner.reader, c.kind == "answer", c.trial == trial, c.stage == stage
        )
        return int(connection.execute(query).scalar_one())

    def _insert(self, connection: Connection, row: Row) -> None:
        from sqlalchemy import insert

        content = {**row.__dict__, "values": json.dumps(row.values, ensure_ascii=False, sort_keys=True)}
        connection.execute(insert(self._rows), [content])


@dataclass(frozen=True)
class Owner:
    """To which study, package and reader rows belong."""

    study: str
    protocol_sha256: str
    package_sha256: str
    reader: str


def check_chain(rows: list[Row], path: Path | None = None) -> None:
    """Raise INPUT_NOT_READABLE unless every reader's rows are whole and in order."""
    last: dict[tuple[str, str], Row] = {}
    for row in rows:
        before = last.get((row.study, row.reader))
        expected = (before.sequence + 1, before.hash) if before else (1, "")
        if (row.sequence, row.previous) != expected or row.hash != row.computed_hash():
            raise MedUSISError(
                ErrorCode.INPUT_NOT_READABLE,
                f"the answers of reader {row.reader} were changed outside MedUSIS (row {row.sequence})",
                "use the file as the reader's program wrote it",
                path,
            )
        last[(row.study, row.reader)] = row


def _row_of(found: Any) -> Row:
    content = {name: found[name] for name in Row.__dataclass_fields__}
    return Row(**{**content, "values": json.loads(content["values"])})


def _tables() -> tuple[MetaData, Table, Table]:
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


def _engine(where: str | Path, path: Path | None) -> Engine:
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
def _named_errors(path: Path | None) -> Iterator[None]:
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
            raise _Conflict(
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
