"""What became of each case: a small database beside the results, whole after any kill or power cut.

It holds what the input calls the cases, so it is for this user alone (0600) and never leaves the machine.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from MedUSISLib.batch.case import BatchCase, CaseProblem, FoundCases
from MedUSISLib.batch.folder import MANIFEST_NAME
from MedUSISLib.batch.manifest_file import (
    SCHEMA,
    SCHEMA_VERSION,
    connect,
    make_private_file,
    named_errors,
    put_in_place,
    rest,
)
from MedUSISLib.batch.manifest_rows import (
    CASE_COLUMNS,
    ROW_COLUMNS,
    case_of,
    insert_cases,
    insert_problems,
    places,
    row_of,
)
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.states import CaseRow, CaseState, case_name
from MedUSISLib.errors import ErrorCode, MedUSISError

_ABSENT_FACT = "absent"
Value = TypeVar("Value")


class TakenOver(NamedTuple):
    """What another look at the input brought.

    Attributes
    ----------
    new : int
        Cases that were not there before.
    kept : tuple of str
        Names of the cases for which the input names other files now, and whose results are of the earlier ones.
    """

    new: int
    kept: tuple[str, ...]


def _sound(method: Callable[..., Value]) -> Callable[..., Value]:
    """For what reads: values that are none of ours are a damaged file, and no fault of the program."""

    @wraps(method)
    def guarded(self: Manifest, *arguments: Any, **named: Any) -> Value:
        try:
            return method(self, *arguments, **named)
        except (ValueError, TypeError, AttributeError, RecursionError):  # pydantic's ValidationError is a ValueError
            raise MedUSISError(
                ErrorCode.INPUT_NOT_READABLE,
                "the manifest of the batch is damaged, or was changed by something else",
                "begin a new batch in another folder",
                self.path,
            ) from None

    return guarded


class Manifest:
    """The cases of a batch and their states.

    One process writes (the batch), any number may read while it does: a change is one transaction, on the disk before
    ``change`` returns, and a reader sees the state before or after it.

    Examples
    --------
    ::

        with Manifest.open(out, read_only=True) as manifest:
            for row in manifest.rows():
                print(row.name, row.state)
    """

    def __init__(self, path: Path, read_only: bool) -> None:
        self.path = path
        self._read_only = read_only
        self._lock = threading.RLock()
        self._connection = connect(path, read_only)
        try:
            with named_errors(path):
                self._check_version()
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(
        cls, out: Path, request: BatchRequest, found: FoundCases, about: Mapping[str, Any] | None = None
    ) -> Self:
        """A new manifest in ``out``, which appears as a whole.

        Parameters
        ----------
        out : Path
            Folder of the batch; must exist.
        request : BatchRequest
            Kept: a batch that goes on must have the same settings.
        found : FoundCases
        about : mapping, optional
            Further facts to be kept, JSON-ready (`fact`).

        Raises
        ------
        MedUSISError
            BAD_SETTING when there is one already, or the folder cannot be written; DISK_FULL.
        """
        path = out / MANIFEST_NAME
        if path.exists():
            raise MedUSISError(ErrorCode.BAD_SETTING, "the output folder holds a batch already", "go on with it", out)
        half = make_private_file(path)
        facts = {
            "schema_version": SCHEMA_VERSION,
            "request": request.model_dump(mode="json"),
            "kind": found.kind,
            **(about or {}),
        }
        try:
            with named_errors(path), closing(sqlite3.connect(half, isolation_level=None)) as connection:
                connection.executescript(SCHEMA)
                connection.execute("BEGIN")
                connection.executemany(
                    "INSERT INTO about VALUES (?, ?)", [(name, json.dumps(value)) for name, value in facts.items()]
                )
                insert_cases(connection, found.cases, 1)
                insert_problems(connection, found.problems)
                connection.execute("COMMIT")
            put_in_place(half, path)
        finally:
            half.unlink(missing_ok=True)
        return cls(path, read_only=False)

    @classmethod
    def open(cls, out: Path, read_only: bool = False) -> Self:
        """The manifest of the batch in ``out``.

        Raises
        ------
        MedUSISError
            BAD_SETTING when there is none, INPUT_NOT_READABLE when it is damaged or of a newer MedUSIS.
        """
        path = out / MANIFEST_NAME
        if not path.is_file():
            raise MedUSISError(ErrorCode.BAD_SETTING, "the folder holds no batch (no manifest.sqlite)", path=out)
        return cls(path, read_only)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; everything is in it whether this is called or not."""
        with self._lock:
            if not self._read_only:
                rest(self._connection)
            self._connection.close()

    @property
    @_sound
    def request(self) -> BatchRequest:
        """The request with which the batch was begun."""
        return BatchRequest.model_validate(self.fact("request"))

    @property
    def kind(self) -> str:
        """What the input was: "table", "bids", "dicom" or "files"."""
        return str(self.fact("kind"))

    @_sound
    def fact(self, name: str, otherwise: Any = None) -> Any:
        """A fact about the batch."""
        found = self._select("SELECT value FROM about WHERE name = ?", (name,))
        return json.loads(found[0]["value"]) if found else otherwise

    def remember(self, **facts: Any) -> None:
        """Keep facts about the batch."""
        with self._transaction() as connection:
            values = [(name, json.dumps(value)) for name, value in facts.items()]
            connection.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", values)

    @_sound
    def rows(self) -> list[CaseRow]:
        """All cases by number; 1,000 of them take some milliseconds."""
        return [row_of(found) for found in self._select(f"SELECT {', '.join(ROW_COLUMNS)} FROM cases ORDER BY number")]

    @_sound
    def row(self, number: int) -> CaseRow:
        """One case; KeyError when there is none of this number."""
        found = self._select(f"SELECT {', '.join(ROW_COLUMNS)} FROM cases WHERE number = ?", (number,))
        if not found:
            raise KeyError(number)
        return row_of(found[0])

    @_sound
    def counts(self) -> Counter[CaseState]:
        """How many cases are in each state."""
        found = self._select("SELECT state, count(*) AS n FROM cases GROUP BY state")
        return Counter({CaseState(row["state"]): row["n"] for row in found})

    @_sound
    def case(self, number: int) -> BatchCase:
        """Where the files of a case are; KeyError when there is none of this number."""
        found = self._select(f"SELECT {CASE_COLUMNS} FROM cases WHERE number = ?", (number,))
        if not found:
            raise KeyError(number)
        return case_of(found[0])

    @_sound
    def cases(self) -> list[BatchCase]:
        """The same of all cases, by number."""
        return [case_of(found) for found in self._select(f"SELECT {CASE_COLUMNS} FROM cases ORDER BY number")]

    @_sound
    def problems(self) -> tuple[CaseProblem, ...]:
        """What became no case when the input was last looked through."""
        found = self._select("SELECT code, place, what, remedy FROM problems ORDER BY id")
        return tuple(CaseProblem(row["code"], row["place"], row["what"], row["remedy"]) for row in found)

    @property
    @_sound
    def absent(self) -> frozenset[int]:
        """Numbers of the cases that the input did not hold any more when it was last looked through."""
        return frozenset(self.fact(_ABSENT_FACT, ()))

    def take_over(self, found: FoundCases, has_result: Callable[[int], bool] = lambda number: False) -> TakenOver:
        """Add the cases that are new, with the next numbers, and note where the files of the others are now.

        A case with a result keeps the files that this was made from, whatever the input says now: a row of a table that
        was corrected meanwhile would give the result of one patient the name of another. A case that is not found any
        more stays, and is remembered as absent (`absent`).

        Parameters
        ----------
        found : FoundCases
        has_result : callable
            Whether the case of a number has one.
        """
        with self._transaction() as connection:
            known = {row["key"]: row for row in connection.execute(f"SELECT number, {CASE_COLUMNS} FROM cases")}
            last = connection.execute("SELECT coalesce(max(number), 0) AS n FROM cases").fetchone()["n"]
            new = [case for case in found.cases if case.key not in known]
            others = [case for case in found.cases if case.key in known and places(case) != tuple(known[case.key])[2:]]
            kept = {case.key for case in others if has_result(known[case.key]["number"])}
            connection.executemany(
                "UPDATE cases SET ct = ?, segmentation = ?, labels = ?, ct_series = ? WHERE key = ?",
                [(*places(case), case.key) for case in others if case.key not in kept],
            )
            insert_cases(connection, new, last + 1)
            connection.execute("DELETE FROM problems")
            insert_problems(connection, found.problems)
            here = {case.key for case in found.cases}
            absent = [row["number"] for key, row in known.items() if key not in here]
            connection.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (_ABSENT_FACT, json.dumps(absent)))
        return TakenOver(len(new), tuple(sorted(case_name(known[key]["number"]) for key in kept)))

    def change(self, number: int, **values: Any) -> None:
        """Change fields of a case (those of `CaseRow`), in one transaction.

        Raises
        ------
        MedUSISError
            DISK_FULL; INPUT_NOT_READABLE when the file cannot be written any more.
        """
        self.change_all([number], **values)

    def change_all(self, numbers: Iterable[int], **values: Any) -> None:
        """The same change for several cases, in one transaction."""
        unknown = set(values) - (set(ROW_COLUMNS) - {"number", "key"})
        if unknown:
            raise TypeError(f"cases have no {sorted(unknown)}")
        plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
        assignments = ", ".join(f"{name} = ?" for name in plain)
        with self._transaction() as connection:
            connection.executemany(
                f"UPDATE cases SET {assignments} WHERE number = ?", [(*plain.values(), number) for number in numbers]
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, named_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _select(self, query: str, values: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        with self._lock, named_errors(self.path):
            return self._connection.execute(query, values).fetchall()

    @_sound
    def _check_version(self) -> None:
        found = self._connection.execute("SELECT value FROM about WHERE name = 'schema_version'").fetchone()
        version = json.loads(found["value"]) if found else None
        if version != SCHEMA_VERSION:
            raise MedUSISError(
                ErrorCode.INPUT_NOT_READABLE,
                "the batch was made by another version of MedUSIS",
                "go on with that version, or begin a new batch",
                self.path,
            )
