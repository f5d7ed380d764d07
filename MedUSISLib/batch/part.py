"""A part of the cases, for batches that share the work without knowing of each other: job arrays."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace

from MedUSISLib.batch.case import FoundCases
from MedUSISLib.errors import ErrorCode, MedUSISError

_TEXT = re.compile(r"(\d{1,4})/(\d{1,4})")


@dataclass(frozen=True)
class Part:
    """The ``number``-th of so many parts, from 1.

    Which part a case belongs to depends on its key alone: it does not change when other cases are added to the input.

    Examples
    --------
    >>> Part.parse("2/8")
    Part(number=2, of=8)
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """From "2/8".

        Raises
        ------
        MedUSISError
            BAD_SETTING.
        """
        found = _TEXT.fullmatch(text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise MedUSISError(ErrorCode.BAD_SETTING, "this is no part of a batch", "give 2/8 for the second of eight")
        return cls(int(found[1]), int(found[2]))

    def holds(self, key: str) -> bool:
        """Whether the case of this key belongs to it."""
        return zlib.crc32(key.encode("utf-8", "surrogatepass")) % self.of == self.number - 1


def part_of(found: FoundCases, text: str | None) -> FoundCases:
    """The cases of a part; all of them without one. What became no case is told by every part."""
    if text is None:
        return found
    part = Part.parse(text)
    return replace(found, cases=tuple(case for case in found.cases if part.holds(case.key)))
