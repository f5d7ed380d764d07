"""Which trouble is worth another attempt, and which is nobody's case."""

from __future__ import annotations

from MedUSISLib.errors import ErrorCode

_ONCE = frozenset({ErrorCode.INTERNAL.value, ErrorCode.TIMED_OUT.value})
"""May have come from what happened at the same time; twice the same did not."""

OF_THE_BATCH = frozenset(
    {
        ErrorCode.DISK_FULL.value,
        ErrorCode.GENERATOR_NOT_FOUND.value,
        ErrorCode.GENERATOR_CORRUPT.value,
        ErrorCode.DEVICE_NOT_AVAILABLE.value,
    }
)
"""What every further case would meet as well: the batch ends with it, and goes on when it is put right."""


def worth_another(code: str, attempts: int, retries: int) -> bool:
    """Whether a case that failed is tried again.

    Bad input stays bad. Memory may have been short because of other cases: every retry is made by a worker that has
    nothing else in hand.

    Parameters
    ----------
    code : str
        Of the failure.
    attempts : int
        Made so far, the failed one included.
    retries : int
        Of the request.

    Examples
    --------
    >>> worth_another("OUT_OF_MEMORY", 1, 2), worth_another("INTERNAL", 2, 2), worth_another("NOT_A_CT", 1, 2)
    (True, False, False)
    """
    if code == ErrorCode.OUT_OF_MEMORY.value:
        return attempts <= retries
    return code in _ONCE and attempts <= min(1, retries)


def worth_another_after_death(attempts: int, retries: int) -> bool:
    """The same for a case in a stage of which its worker died."""
    return attempts <= retries
