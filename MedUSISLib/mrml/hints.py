"""What to do about a failure, for a person at a window: the engine's hints name options of the command line."""

from __future__ import annotations

import re
from dataclasses import replace

from MedUSISLib.jobs.events import Failure

_COMMAND_LINE = re.compile(r"(?<!\S)--[a-z]|\bpip install\b|\bmedusis [a-z]+")
_IN_BRACKETS = re.compile(r"\s*\([^)]*(?:--|\bmedusis )[^)]*\)")
_HINTS = {
    "OUT_OF_MEMORY": "close other programs, use fewer slices at a time, or the CPU",
    "DEVICE_NOT_AVAILABLE": "choose the device 'automatic', or the CPU",
    "DEPENDENCY_MISSING": "let the module install the packages that it needs",
    "GENERATOR_NOT_FOUND": "choose a generator from the list",
    "BAD_SETTING": "choose another setting, or remove what is there first",
}
_TOTALSEGMENTATOR = "get the extension TotalSegmentator from the Extensions Manager, or draw or load a segmentation"


def without_options(message: str) -> str:
    """A warning without the spelling of the command line.

    Examples
    --------
    >>> without_options("--mode window keeps to that size")
    "the mode 'window' keeps to that size"
    """
    return re.sub(r"(?<!\S)--([a-z-]+) ([\w-]+)", r"the \1 '\2'", message)


def names_commands(hint: str) -> bool:
    """Whether it speaks of the command line."""
    return _COMMAND_LINE.search(hint) is not None


def without_brackets(hint: str) -> str:
    """Without brackets that name a command or an option.

    Examples
    --------
    >>> without_brackets("go on with it (medusis train --resume), or remove it")
    'go on with it, or remove it'
    """
    return _IN_BRACKETS.sub("", hint)


def for_the_window(failure: Failure) -> Failure:
    """The failure with a hint that names nothing of the command line.

    Examples
    --------
    >>> for_the_window(Failure("OUT_OF_MEMORY", "no memory", "use --batch-size 1")).hint
    'close other programs, use fewer slices at a time, or the CPU'
    >>> for_the_window(Failure("NOT_A_CT", "no air", "give a CT in HU")).hint
    'give a CT in HU'
    """
    if not names_commands(failure.hint):
        return failure
    if failure.message.startswith("TotalSegmentator"):
        return replace(failure, hint=_TOTALSEGMENTATOR)
    return replace(failure, hint=_HINTS.get(failure.code, ""))
