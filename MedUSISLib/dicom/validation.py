"""Values that other makers wrote into a CT are passed on as they are, without a word about them in a log."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def values_taken_as_they_are() -> Iterator[None]:
    """In this block pydicom and highdicom neither complain of values against the standard nor print them.

    Their warnings quote the value, a name or a birth date say, and warnings go into the log.
    """
    from pydicom import config

    before = config.settings.reading_validation_mode, config.settings.writing_validation_mode
    config.settings.reading_validation_mode = config.settings.writing_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        config.settings.reading_validation_mode, config.settings.writing_validation_mode = before
