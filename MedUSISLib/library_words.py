"""What libraries say while a job runs, without what they quote: values of headers and names of files are patients.

pydicom's warnings quote the value that they complain of, a name or a birth date say; nibabel, highdicom and others log
what they read, and nearly every exception's text names a file. A job's log is what users send to strangers. So of a
library's message the log keeps who said it and where in its code; its words stay away.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TextIO

from MedUSISLib.errors import MedUSISError

FULL_VARIABLE = "MEDUSIS_FULL_ERRORS"
"""Set to 1 by somebody who looks for a fault on the own computer: everything is printed as libraries say it."""

_OURS = ("MedUSISLib", "__main__")
_KNOW_NO_FILES = ("torch", "monai", "lightning_fabric", "numpy", "scipy", "skimage")
"""Their messages are about arrays. What torch.distributed says is about computers."""

_PACKAGE = Path(__file__).resolve().parent
_LIBRARIES = ("site-packages", "dist-packages")


def keep_library_words_out(stream: TextIO | None = None) -> None:
    """From now on logging, warnings and unhandled exceptions in threads go to a stream without what they quote.

    Parameters
    ----------
    stream : TextIO, optional
        Standard error by default.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_is_worth_a_line)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    warnings.simplefilter("default", category=UserWarning)
    warnings.showwarning = _show_warning
    threading.excepthook = _report_from_thread
    sys.excepthook = _report


def print_error(error: BaseException, stream: TextIO | None = None) -> None:
    """A traceback with the text of our own exceptions only; see ``error_lines``."""
    print("\n".join(error_lines(error)), file=stream or sys.stderr, flush=True)


def error_lines(error: BaseException) -> list[str]:
    """Where an exception and those that it arose from came from, the last one at the end as Python prints it.

    Examples
    --------
    >>> error_lines(ValueError("invalid value for VR PN: 'Doe^Jane'"))
    ['ValueError (its text is left out)']
    >>> from MedUSISLib.errors import ErrorCode
    >>> error_lines(MedUSISError(ErrorCode.NOT_A_CT, "the CT has no air", "give a CT in HU"))
    ['MedUSISLib.errors.MedUSISError: NOT_A_CT: the CT has no air - give a CT in HU']
    """
    lines: list[str] = []
    for one in reversed(list(_arisen_from(error))):
        if lines:
            lines.append("after that:")
        if one.__traceback__ is not None:
            lines.append("Traceback (most recent call last):")
            lines += "".join(traceback.format_tb(one.__traceback__)).rstrip().splitlines()
        kind = type(one)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        text = str(one) if _full() or isinstance(one, MedUSISError) or _is_of_arrays(one) else None
        lines.append(f"{name} (its text is left out)" if text is None else f"{name}: {text}")
    return lines


class _Formatter(logging.Formatter):
    """Of a record that is not ours and may quote a file only its place is printed."""

    def format(self, record: logging.LogRecord) -> str:
        if not _may_speak(record.name):
            place = f"{_place(record.pathname)}, line {record.lineno}"
            record = logging.LogRecord(
                record.name, record.levelno, record.pathname, record.lineno, f"(in {place})", None, None
            )
        elif record.exc_info and record.exc_info[1] is not None:
            text = "\n".join([record.getMessage(), *error_lines(record.exc_info[1])])
            record = logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, text, None, None)
        return super().format(record)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """What libraries tell of their ordinary work is nobody's concern."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] in _OURS


def _may_speak(logger: str) -> bool:
    if _full() or logger.partition(".")[0] in _OURS:
        return True
    return logger.partition(".")[0] in _KNOW_NO_FILES and not logger.startswith("torch.distributed")


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    place = _place(filename)
    known = place.partition("/")[0]
    said = f": {message}" if _full() or known in ("MedUSISLib", *_KNOW_NO_FILES) else " (its text is left out)"
    print(f"{category.__name__} in {place}, line {lineno}{said}", file=file or sys.stderr, flush=True)


def _report(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
    print_error(error.with_traceback(place))


def _report_from_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None:
        print_error(failed.exc_value)


def _is_of_arrays(error: BaseException) -> bool:
    """Raised inside torch or MONAI about shapes and types, not files."""
    frames = traceback.extract_tb(error.__traceback__)
    inner = _place(frames[-1].filename).partition("/")[0] if frames else ""
    return inner in ("torch", "monai") and isinstance(error, (RuntimeError, TypeError, IndexError))


def _place(filename: str) -> str:
    """A file of code as "pydicom/valuerep.py"."""
    path = Path(filename)
    if path.is_relative_to(_PACKAGE.parent):
        path = path.relative_to(_PACKAGE.parent)
        if path.parts[0] == _PACKAGE.name:
            return path.as_posix()
    for folder in _LIBRARIES:
        if folder in path.parts:
            return "/".join(path.parts[len(path.parts) - path.parts[::-1].index(folder) :])
    return path.name


def _arisen_from(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _full() -> bool:
    return os.environ.get(FULL_VARIABLE) == "1"
