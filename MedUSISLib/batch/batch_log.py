"""``log.txt`` of a batch: what it and its workers say, without names and places."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel

from MedUSISLib.batch.case import BatchCase
from MedUSISLib.jobs.log import JobLog, Scrubber

LOGGER = logging.getLogger("MedUSISLib.batch")
_SHORTEST_WORD = 4
"""A shorter part of a path would be found in ordinary words; as a part of a path it is taken out with that."""


class _Names(BaseModel):
    """What must not show: places of the cases, and every part of them that could be a name."""

    case: tuple[Path, ...]


@contextmanager
def batch_log(path: Path, source: Path, cases: Iterable[BatchCase]) -> Iterator[Callable[[str], None]]:
    """Write what this package logs into a file (0600) while the block runs; gives what takes a further line.

    Parameters
    ----------
    path : Path
    source : Path
        The input: what lies above it is the user's own.
    cases : iterable of BatchCase
        Whose names are left out.
    """
    log = JobLog(path, Scrubber(_Names(case=tuple(_names(source, cases)))))
    handler = _Lines(log)
    level = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield log.write
    finally:
        LOGGER.setLevel(level)
        LOGGER.removeHandler(handler)
        log.close()


class _Lines(logging.Handler):
    """Gives records to a log file."""

    def __init__(self, log: JobLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):
            self._log.write(record.getMessage())


def _names(source: Path, cases: Iterable[BatchCase]) -> Iterator[Path]:
    for case in cases:
        for path in filter(None, (case.ct, case.segmentation)):
            yield path
            if path.is_relative_to(source):
                yield from (Path(part) for part in path.relative_to(source).parts[:-1] if len(part) >= _SHORTEST_WORD)
