"""One kind of input: how a sound one is made, spoiled, read by MedUSIS, and compared with what another reader says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

NAME = "Mueller_Hans_19500101"
"""What the files of samples are called: no message may repeat it."""


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Attributes
    ----------
    name : str
    make : callable
        Writes a sound input into an empty folder.
    spoil : callable
        Changes the files of a folder with the given random numbers; returns what it did, for people.
    read : callable
        The public way in, for the folder.
    verify : callable
        Given the folder and what ``read`` made of it; AssertionError when that is not what the files say.
    always_refused : bool
        No spoiled input of this kind may be accepted.
    codes : tuple of str
        Codes that fit such an input; INTERNAL never does.
    """

    name: str
    make: Callable[[Path], None]
    spoil: Callable[[Random, Path], str]
    read: Callable[[Path], Any]
    verify: Callable[[Path, Any], None]
    always_refused: bool = False
    codes: tuple[str, ...] = ("INPUT_NOT_READABLE", "GEOMETRY_MISMATCH")
