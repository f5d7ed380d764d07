"""The named errors of MedUSIS: one exception type, one code per kind of trouble.

The code is part of the interface (Slicer and the batch runner decide by it); the message says what happened, the
hint what to do. Neither may hold a file name: they travel into logs and reports, and a file name can be a patient's
name. The path is kept apart and shown only on the terminal of the person who gave it.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from unicodedata import category

_LONGEST = 1000


class ErrorCode(StrEnum):
    """Kinds of failure, as written in events (``error.code``) and in the documentation."""

    INPUT_NOT_READABLE = "INPUT_NOT_READABLE"
    NOT_A_CT = "NOT_A_CT"
    GEOMETRY_MISMATCH = "GEOMETRY_MISMATCH"
    EMPTY_SEGMENTATION = "EMPTY_SEGMENTATION"
    UNKNOWN_LABELS = "UNKNOWN_LABELS"
    GENERATOR_NOT_FOUND = "GENERATOR_NOT_FOUND"
    GENERATOR_CORRUPT = "GENERATOR_CORRUPT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    DEVICE_NOT_AVAILABLE = "DEVICE_NOT_AVAILABLE"
    DISK_FULL = "DISK_FULL"
    TIMED_OUT = "TIMED_OUT"
    CANCELLED = "CANCELLED"
    DEPENDENCY_MISSING = "DEPENDENCY_MISSING"
    BAD_SETTING = "BAD_SETTING"
    INTERNAL = "INTERNAL"


class MedUSISError(Exception):
    """A failure that a user can understand and act on.

    Parameters
    ----------
    code : ErrorCode
        What kind of failure.
    message : str
        What happened, naming the input by its role ("the CT"), never by its file name.
    hint : str
        What to do about it.
    path : str or Path, optional
        The file concerned; shown on the local terminal only, never logged.

    Examples
    --------
    >>> error = MedUSISError(ErrorCode.NOT_A_CT, "the CT has no air: its lowest value is 0", "give a CT in HU")
    >>> str(error)
    'NOT_A_CT: the CT has no air: its lowest value is 0 - give a CT in HU'
    """

    def __init__(self, code: ErrorCode, message: str, hint: str = "", path: str | Path | None = None) -> None:
        self.code = ErrorCode(code)
        self.message = _one_line(message)
        self.hint = _one_line(hint)
        self.path = Path(path) if path is not None else None
        super().__init__(f"{self.code.value}: {self.message}" + (f" - {self.hint}" if hint else ""))

    def __reduce__(self) -> tuple[type, tuple]:
        # Exceptions are pickled with their args, which here is the one joined text; worker processes need all four.
        return type(self), (self.code, self.message, self.hint, self.path)


def _one_line(text: str) -> str:
    """The text without line breaks, control characters and marks that turn text round, and not without end.

    What a file calls its segments and settings comes into messages, and messages onto terminals and into logs.
    """
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} ... {text[5 - _LONGEST // 2 :]}"
    return text if text.isprintable() else "".join(c if c.isprintable() or category(c) == "Zs" else "?" for c in text)
