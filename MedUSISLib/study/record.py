"""``record.json``: decisions that people took about a study, with their reasons - so far, leaks that they accept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.writing import atomic_path
from MedUSISLib.study.versioned import Migration, Part, read_versioned, to_json

if TYPE_CHECKING:
    from MedUSISLib.study.leaks import Finding

RECORD_NAME = "record.json"
MIGRATIONS: Mapping[int, Migration] = {}

NEVER_ACCEPTED = frozenset({"FILE_MISSING", "FILE_CHANGED", "FILE_UNREADABLE", "FILE_UNKNOWN"})
"""These are damage and not differences between the arms."""


class Acceptance(Part):
    """A leak that somebody takes responsibility for.

    It holds for the finding as it was (``what`` has its numbers): when it changes, it is a leak again.
    """

    code: str = Field(pattern=r"^[A-Z_]{2,40}$")
    what: str
    reason: str = Field(min_length=1, max_length=2000)
    at: str


class StudyRecord(Part):
    """Contents of ``record.json``."""

    version: Literal[1] = 1
    acceptances: tuple[Acceptance, ...] = ()

    def reason_for(self, finding: Finding) -> str:
        """Why a finding is accepted; "" when it is not."""
        found = (a.reason for a in self.acceptances if (a.code, a.what) == (finding.code, finding.what))
        return next(found, "")


def load_record(study: str | Path) -> StudyRecord:
    """The record of a study; an empty one where nothing was decided.

    Raises
    ------
    MedUSISError
        BAD_SETTING when the file is not valid.
    """
    path = Path(study) / RECORD_NAME
    return read_versioned(path, StudyRecord, MIGRATIONS, "the record of the study") if path.is_file() else StudyRecord()


def write_record(study: str | Path, record: StudyRecord) -> None:
    """Put a record in the place of the study's, whole or not at all."""
    with atomic_path(Path(study) / RECORD_NAME) as half:
        half.write_text(to_json(record), encoding="utf-8", newline="\n")


def with_acceptances(
    record: StudyRecord, findings: Iterable[Finding], codes: Iterable[str], reason: str
) -> StudyRecord:
    """The record with all leaks of these codes accepted.

    Parameters
    ----------
    record : StudyRecord
    findings : iterable of Finding
        Of the leak check.
    codes : iterable of str
        Such as "FOREGROUND".
    reason : str
        Goes into the report of the study.

    Raises
    ------
    MedUSISError
        BAD_SETTING without a reason, for a code that no leak has, and for damaged files, which nobody can accept.
    """
    reason = reason.strip()
    if not reason:
        raise MedUSISError(ErrorCode.BAD_SETTING, "a leak is accepted with a reason only", "say why it does no harm")
    leaks = [finding for finding in findings if finding.severity == "leak"]
    accepted = list(record.acceptances)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    for code in codes:
        if code in NEVER_ACCEPTED:
            raise MedUSISError(
                ErrorCode.BAD_SETTING, f"{code} is damage, not a difference between the arms", "make the study again"
            )
        found = [leak for leak in leaks if leak.code == code]
        if not found:
            codes_found = ", ".join(dict.fromkeys(leak.code for leak in leaks))
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"the study has no leak of the code {code}",
                f"its leaks are: {codes_found}" if codes_found else "there is nothing to accept",
            )
        for leak in found:
            accepted = [a for a in accepted if (a.code, a.what) != (leak.code, leak.what)]
            accepted.append(Acceptance(code=code, what=leak.what, reason=reason, at=at))
    return record.model_copy(update={"acceptances": tuple(accepted)})
