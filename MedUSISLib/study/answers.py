"""Where answers live: a database to which rows are only added, each one on the disk before the next trial is shown.

SQLite through SQLAlchemy, one file per reader; any other database that SQLAlchemy knows by its URL, for several sites.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.answer_database import Conflict, bring_up_to_date, engine_of, named_errors, tables
from MedUSISLib.study.answer_rows import Kind, Owner, Row, check_chain, row_from

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["ANSWERS_NAME", "AnswerStore", "Kind", "Owner", "Row", "check_chain"]

ANSWERS_NAME = "answers.sqlite"
_ATTEMPTS = 20
"""Of a transaction that others get in the way of: four writers at once refuse each other a third of the time."""
Result = TypeVar("Result")


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
        self._engine = engine_of(where, self._path)
        self._metadata, self._rows, self._about = tables()
        try:
            _repeated(self._prepare)
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
        return _repeated(lambda: self._add(kind, owner, trial, stage, stored, round(float(seconds), 3), revision, at))

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

        def read() -> list[Row]:
            with named_errors(self._path), self._engine.connect() as connection:
                return [row_from(dict(found._mapping), self._path) for found in connection.execute(query)]

        return _repeated(read)

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
        with named_errors(self._path), self._engine.begin() as connection:
            yield connection

    def _prepare(self) -> None:
        with self._transaction() as connection:
            self._metadata.create_all(connection)
            bring_up_to_date(connection, self._about, self._path)

    def _last(self, connection: Connection, owner: Owner) -> Row | None:
        from sqlalchemy import select

        query = (
            select(self._rows)
            .where(self._rows.c.study == owner.study, self._rows.c.reader == owner.reader)
            .order_by(self._rows.c.sequence.desc())
            .limit(1)
        )
        found = connection.execute(query).first()
        return row_from(dict(found._mapping), self._path) if found is not None else None

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


def _repeated(work: Callable[[], Result]) -> Result:
    """Do it, and once more a little later as often as others have got in its way: nothing of it is stored then.

    A database server may refuse even transactions that do not touch each other, and those that only read.
    """
    for attempt in range(_ATTEMPTS - 1):
        with suppress(Conflict):
            return work()
        time.sleep(random.uniform(0.0, 0.02 * 2 ** min(attempt, 6)))
    return work()
