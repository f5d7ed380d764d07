"""Analyses that a study may be too small or too plain for: then there is a sentence instead of a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from MedUSISLib.errors import MedUSISError
from MedUSISLib.study.analysis.result_statistics import Note
from MedUSISLib.study.statistics.cautions import Caution
from MedUSISLib.study.statistics.table_problems import TableError

T = TypeVar("T")

_OF_THE_STUDY = frozenset({"FEW_READERS", "ONE_READER", "FEW_CASES", "CLUSTERED_CASES", "SEVERAL_PAIRS"})
"""Warnings that every comparison of a study has alike."""


class Notes:
    """Collects what is to be said about the results, each thing once.

    Examples
    --------
    >>> notes = Notes()
    >>> notes.add("ONE_READER", "There is one reader.")
    >>> [note.code for note in notes.all()]
    ['ONE_READER']
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], None] = {}

    def add(self, code: str, message: str) -> None:
        """Say something; the same thing again is not repeated."""
        self._found.setdefault((code, message))

    def add_cautions(self, cautions: Iterable[Caution], everywhere: bool = False) -> None:
        """Warnings of an analysis; only those of the whole study where they stand beside the analysis, too."""
        for caution in cautions:
            if not everywhere or caution.code in _OF_THE_STUDY:
                self.add(caution.code, caution.message)

    def attempt(self, what: str, function: Callable[[], T]) -> T | None:
        """The function's result, or None and a note that says why ``what`` cannot be had."""
        try:
            return function()
        except TableError as error:
            self.add(error.problem.value, f"No {what}: {error.message.partition(': ')[2]}.")
        except MedUSISError as error:
            self.add(error.code.value, f"No {what}: {error.message}.")
        except ValueError as error:
            self.add("NOT_POSSIBLE", f"No {what}: {error}.")
        return None

    def all(self) -> tuple[Note, ...]:
        """Everything that was said, in order."""
        return tuple(Note(code=code, message=message) for code, message in self._found)
