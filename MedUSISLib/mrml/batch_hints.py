"""What to do about a batch or one of its cases, for a person at a window: the batch's own hints name options."""

from __future__ import annotations

from MedUSISLib.mrml.hints import names_commands, without_brackets

_HINTS = {
    "EMPTY_SEGMENTATION": "begin a new batch in which something segments such CTs (see 'No segmentation'), or with a "
    "table that names a segmentation",
    "UNKNOWN_LABELS": "begin a new batch and choose what the labels mean, or name it in a table of cases",
    "OUT_OF_MEMORY": "close other programs and press 'Retry failed', or begin a new batch with fewer cases at a time",
    "DEVICE_NOT_AVAILABLE": "begin a new batch on another device, or on the CPU",
    "TIMED_OUT": "see whether the disk answers and nothing else needs the computer, then press 'Retry failed'",
    "INTERNAL": "close other programs and press 'Retry failed'",
    "GENERATOR_NOT_FOUND": "install the generator again, under Generator",
}
"""In place of hints that name options of the command line."""


def batch_hint(code: str, hint: str) -> str:
    """The hint without the command line.

    Examples
    --------
    >>> batch_hint("NOT_A_CT", "give a CT in HU")
    'give a CT in HU'
    >>> batch_hint("INTERNAL", "the memory was short, perhaps: fewer --workers")
    "close other programs and press 'Retry failed'"
    >>> batch_hint("DISK_FULL", "free some space; then go on with the same command")
    "free some space; then press 'Go on'"
    """
    hint = without_brackets(hint).replace("go on with the same command", "press 'Go on'")
    if not names_commands(hint):
        return hint
    return _HINTS.get(code, "begin a new batch with other settings")
