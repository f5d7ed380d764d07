"""What can be wrong with a table of ratings or marks, by name."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError


class TableProblem(StrEnum):
    """What can be wrong with a table of ratings."""

    NOT_A_TABLE = "NOT_A_TABLE"
    MISSING_COLUMN = "MISSING_COLUMN"
    REPEATED_COLUMN = "REPEATED_COLUMN"
    EMPTY_TABLE = "EMPTY_TABLE"
    EMPTY_FIELD = "EMPTY_FIELD"
    NOT_A_NUMBER = "NOT_A_NUMBER"
    BAD_TRUTH = "BAD_TRUTH"
    TRUTH_DIFFERS = "TRUTH_DIFFERS"
    CLUSTER_DIFFERS = "CLUSTER_DIFFERS"
    DUPLICATE_ROW = "DUPLICATE_ROW"
    MISSING_CELLS = "MISSING_CELLS"
    UNBALANCED = "UNBALANCED"
    ONE_CLASS = "ONE_CLASS"
    TOO_FEW_CASES = "TOO_FEW_CASES"
    BAD_LESION = "BAD_LESION"


_REMEDIES = {
    TableProblem.EMPTY_TABLE: "give a table with a heading and a row for each reading",
    TableProblem.EMPTY_FIELD: "fill it in, or take the row out",
    TableProblem.NOT_A_NUMBER: "write a number with a decimal point",
    TableProblem.DUPLICATE_ROW: "keep one of them",
    TableProblem.BAD_LESION: "list the lesion of that case in the table of lesions, or leave the cell empty",
}


class TableError(MedUSISError):
    """A table that cannot be analysed; ``problem`` names why.

    Examples
    --------
    >>> TableError(TableProblem.ONE_CLASS, "the table has no positive case").problem.value
    'ONE_CLASS'
    """

    def __init__(self, problem: TableProblem, message: str, hint: str = "", path: str | Path | None = None) -> None:
        self.problem = TableProblem(problem)
        remedy = hint or _REMEDIES.get(self.problem, "correct the table")
        super().__init__(ErrorCode.INPUT_NOT_READABLE, f"{self.problem.value}: {message}", remedy, path)
        self._plain = message

    def __reduce__(self) -> tuple[type, tuple]:
        return type(self), (self.problem, self._plain, self.hint, self.path)
