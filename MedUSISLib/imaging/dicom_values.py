"""Values that other makers wrote into DICOM are taken as they are, without a word about them in a log."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def values_taken_as_they_are() -> Iterator[None]:
    """In this block pydicom and highdicom neither complain of values against the standard nor print them.

    Their warnings quote the value, a name or a birth date say, and what they report of their work names instances of
    the patient's study; all that would go into the log.
    """
    from pydicom import config

    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)

    before = config.settings.reading_validation_mode, config.settings.writing_validation_mode
    config.settings.reading_validation_mode = config.settings.writing_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        config.settings.reading_validation_mode, config.settings.writing_validation_mode = before
