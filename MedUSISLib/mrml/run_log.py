"""What happened in a run, line by line, without the names and places of the patient: for "Copy log"."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Mapping

MOST_LINES = 2000
_SAY_NOTHING = {"ct", "mr", "segmentation", "volume", "image", "labels"}


class RunLog:
    """The last lines of a run with their times.

    Parameters
    ----------
    names : mapping of str to str
        What must not show, names of nodes for instance, each with the word that stands for it.

    Examples
    --------
    >>> log = RunLog({"Doe Jane 1962": "the CT"})
    >>> log.add("reading Doe Jane 1962")
    'reading <the CT>'
    """

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        given = (names or {}).items()
        self._names = {name: role for name, role in given if len(name) > 1 and name.lower() not in _SAY_NOTHING}
        ordered = sorted(self._names, key=len, reverse=True)
        pattern = "|".join(re.escape(name) for name in ordered)
        self._secret = re.compile(rf"(?<!\w)(?:{pattern})(?!\w)") if ordered else None
        self._scrub: Callable[[str], str] = lambda line: line

    def scrub_with(self, scrub: Callable[[str], str]) -> None:
        """Lines from now on pass through ``scrub`` too (``jobs.log.Scrubber``)."""
        self._scrub = scrub

    def clean(self, line: str) -> str:
        """The line without what must not show."""
        if self._secret is not None:
            line = self._secret.sub(lambda found: f"<{self._names[found.group()]}>", line)
        return self._scrub(line)

    def add(self, line: str) -> str:
        """Keep a line; returns it as it was kept, without the time."""
        cleaned = self.clean(line)
        self._lines.append(f"{time.strftime('%H:%M:%S')} {cleaned}")
        return cleaned

    def text(self) -> str:
        """All lines that were kept."""
        return "\n".join(self._lines)
