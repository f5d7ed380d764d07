"""One row of the answers, checked when it is read, and the chain of hashes that ties it to the one before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from pydantic.dataclasses import dataclass as validated

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.versioned import sha256_of_json

Kind = Literal["answer", "profile", "closing", "start", "shown", "pause", "resume"]
"""What a row records; "answer" belongs to a stage of a trial, the others to the reader."""


@validated(frozen=True)
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


def row_from(found: Mapping[str, Any], path: Path | None = None) -> Row:
    """A row as a database holds it, ``values`` being JSON.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE when something other than MedUSIS wrote it.
    """
    try:
        content = {field.name: found[field.name] for field in fields(Row)}
        return Row(**{**content, "values": json.loads(content["values"])})
    except (KeyError, TypeError, ValueError):  # pydantic's ValidationError is a ValueError
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            "the answers hold a row that was written or changed outside MedUSIS",
            "use the file as the reader's program wrote it",
            path,
        ) from None
